# The quick panel: what tells most in a few minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d')
# Few strides and layers: it sees texture rather than shape.
_textures = dict(type='SmallConv2d', channels=(24, 48, 48, 96), strides=(2, 1, 2, 1))
_clip = dict(type='SmallConv3d')
# Half resolution takes a quarter of the time; a shift of one pixel there is one of two.
_recipe = dict(max_epochs=210, max_shift=1)

panel = dict(
    # Every third frame: a window then holds most of an action.
    action=dict(
        type='ClipAttacker', target='action', backbone=_clip, stride=3, scale=0.5, recipe=_recipe
    ),
    template=dict(type='TemplateAttacker'),
    frame=dict(type='FrameAttacker', backbone=_frames, scale=0.5, recipe=_recipe),
    texture=dict(type='TextureAttacker', backbone=_textures, scale=0.5, recipe=_recipe),
)
controls = ('permuted', 'border', 'length', 'label', 'scores', 'features')
# An attacker is a witness of what an encoder hides only if it names this share of the test clips on
# clear video of the same fold.
control_from = 0.75
