# The quick panel: at most five minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d', in_channels=1)
_clip = dict(type='SmallConv3d', in_channels=1)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, recipe=dict(epochs=40)),
    frame=dict(type='FrameAttacker', backbone=_frames, recipe=dict(epochs=100)),
    # Whoever holds the clips may train on their actions first: less time for the same attack.
    clip=dict(type='ClipAttacker', backbone=_clip, start_from='action', recipe=dict(epochs=30)),
    # From scratch it does not learn within the time; from the frame network's backbone it does.
    recurrent=dict(
        type='RecurrentAttacker',
        backbone=_frames,
        start_from='frame',
        num_frames=6,
        recipe=dict(epochs=12, lr=1e-3),
    ),
)
# An attacker counts as evidence of privacy only where it is right on three quarters of the clips it
# was trained on, seen without augmentation: one that cannot even tell these apart proves nothing.
learned_from = 0.75
