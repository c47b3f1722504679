# The networks of the full panel at half resolution and for fewer epochs: whether each kind of
# attacker recognises people in clear video at all, in an hour of one core.
_base_ = 'quick.py'

_frames = dict(type='SmallConv2d')
# Few strides and layers: it sees texture rather than shape.
_textures = dict(type='SmallConv2d', channels=(24, 48, 48, 96), strides=(2, 1, 2, 1))
_recipe = dict(
    first_round=40, max_epochs=120, learned=0.98, lr=3e-3, weight_decay=0.05, max_shift=2
)
_frame_recipe = dict(_recipe, weight_decay=0.1)

panel = dict(
    _delete_=True,
    template=dict(type='TemplateAttacker'),
    texture=dict(type='TextureAttacker', backbone=_textures, scale=0.5, recipe=_recipe),
    probe=dict(type='LinearProbe', grid=(16, 12), recipe=_recipe),
    clip=dict(
        type='ClipAttacker',
        backbone=dict(type='SmallConv3d'),
        stride=2,
        scale=0.5,
        recipe=_recipe,
    ),
    recurrent=dict(type='RecurrentAttacker', backbone=_frames, scale=0.5, recipe=_frame_recipe),
    transformer=dict(
        type='TransformerAttacker',
        backbone=_frames,
        scale=0.5,
        recipe=dict(_frame_recipe, lr=1e-3),
    ),
    inversion=dict(
        type='InversionAttacker',
        window=5,
        recipe=dict(first_round=15, max_epochs=45, max_shift=2),
        witness=dict(type='FrameAttacker', backbone=_frames, scale=0.5, recipe=_frame_recipe),
    ),
)
controls = ('permuted',)
