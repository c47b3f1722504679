# The quick panel: what tells most in a few minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d', in_channels=1)
# Few strides and layers: it sees texture rather than shape.
_textures = dict(type='SmallConv2d', in_channels=1, channels=(24, 48, 48, 96), strides=(2, 1, 2, 1))
_clip = dict(type='SmallConv3d', in_channels=1)
# Half resolution takes a quarter of the time; a shift of one pixel there is one of two.
_recipe = dict(max_epochs=210, max_shift=1)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, scale=0.5, recipe=_recipe),
    frame=dict(type='FrameAttacker', backbone=_frames, scale=0.5, recipe=_recipe),
    texture=dict(type='TextureAttacker', backbone=_textures, scale=0.5, recipe=_recipe),
)
# An attacker counts as evidence of privacy only where it is right on three quarters of the clips it
# was trained on, seen without augmentation: one that cannot even tell these apart proves nothing.
learned_from = 0.75
