# The full panel: every kind of attacker, at full resolution and for as long as it takes.
_base_ = 'quick.py'

_frames = dict(type='SmallConv2d')
_clip = dict(type='SmallConv3d')
# Few strides and layers: it sees texture rather than shape.
_textures = dict(type='SmallConv2d', channels=(24, 48, 48, 96), strides=(2, 1, 2, 1))
_recipe = dict(max_epochs=450, max_shift=2)
# Moved further and trained longer, single frames of clear video are told better.
_frame_recipe = dict(_recipe, learned=0.98, lr=3e-3, weight_decay=0.1, max_shift=4)

panel = dict(
    action=dict(scale=1.0, recipe=_recipe),
    frame=dict(scale=1.0, recipe=dict(_frame_recipe, first_round=60)),
    texture=dict(type='TextureAttacker', backbone=_textures, recipe=_recipe),
    probe=dict(type='LinearProbe', grid=(16, 12), recipe=_recipe),
    # A 3D network soon knows its clips by heart; what it can tell others by comes later.
    clip=dict(type='ClipAttacker', backbone=_clip, recipe=dict(_recipe, first_round=60)),
    recurrent=dict(type='RecurrentAttacker', backbone=_frames, num_frames=8, recipe=_recipe),
    transformer=dict(type='TransformerAttacker', backbone=_frames, num_frames=8, recipe=_recipe),
    inversion=dict(
        type='InversionAttacker',
        window=5,
        recipe=_recipe,
        witness=dict(type='FrameAttacker', backbone=_frames, recipe=_recipe),
    ),
    # MobileNetV2's weights of ImageNet by local path:
    # --cfg-options panel.pretrained.weights=PATH panel.imagenet.weights=PATH
    imagenet=dict(type='ImageNetTemplateAttacker', weights=None),
    pretrained=dict(
        type='PretrainedAttacker',
        weights=None,
        frames_per_step=4,
        recipe=dict(first_round=15, max_epochs=105, lr=5e-4, max_shift=2),
    ),
)
