# The few numbers of a camera that hides people: coarse blocks, few levels about a dead zone, noise,
# and a secret geometry. Each trial sets all of them; `start` are tried first.
encoder = 'blocks'
space = {
    'block': dict(choices=[4, 8, 16]),
    'num_levels': dict(choices=[2, 3, 5]),
    'dead_zone': dict(low=0.005, high=0.08, log=True),
    'dither': dict(low=0.0, high=0.06),
    'geometric_dither.stretch': dict(low=0.0, high=0.4),
    'geometric_dither.shift': dict(low=0.0, high=0.25),
    'geometric_dither.rotation': dict(low=0.0, high=20.0),
    'geometric_dither.warp': dict(low=0.0, high=0.1),
    'geometric_dither.mirror': dict(choices=[False, True]),
}
# How a geometry is set: not at all, and as the presets have it.
still = {
    'geometric_dither.stretch': 0.0,
    'geometric_dither.shift': 0.0,
    'geometric_dither.rotation': 0.0,
    'geometric_dither.warp': 0.0,
    'geometric_dither.mirror': False,
}
moved = {
    'geometric_dither.stretch': 0.25,
    'geometric_dither.shift': 0.125,
    'geometric_dither.rotation': 0.0,
    'geometric_dither.warp': 0.04,
    'geometric_dither.mirror': True,
}
# The presets blocks, blocks_noise, blocks_geometry and blocks_noise_geometry.
_levels = {'block': 8, 'num_levels': 3, 'dead_zone': 0.03}
start = [
    {**_levels, 'dither': dither, **geometry}
    for geometry in (still, moved)
    for dither in (0, 0.015)
]
# Three encodings of each clip: an attacker that learns from fresh draws, at half the time of six.
encodings = 3

# What can be afforded in every trial, a minute or two of one core: hand-made features for both
# sides, and networks that look at blocks as they are. All that look for the same thing are pooled.
panel = dict(
    action=dict(
        type='ClipAttacker',
        target='action',
        backbone=dict(
            type='SmallConv3d', channels=(24, 48, 96), strides=((2, 1, 1), (2, 2, 2), (2, 1, 1))
        ),
        stride=3,
        enlarge=False,
        recipe=dict(first_round=40, max_epochs=40, lr=3e-3, weight_decay=0.05, max_shift=1),
    ),
    action_template=dict(type='TemplateAttacker', target='action', max_frames=24),
    template=dict(type='TemplateAttacker', max_frames=24),
    frame=dict(
        type='FrameAttacker',
        backbone=dict(type='SmallConv2d', channels=(32, 64, 96), strides=(1, 1, 2)),
        enlarge=False,
        recipe=dict(first_round=40, max_epochs=40, lr=3e-3, weight_decay=0.1, max_shift=1),
    ),
)
