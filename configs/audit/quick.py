# The quick panel: at most five minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d', in_channels=1)
_clip = dict(type='SmallConv3d', in_channels=1)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, recipe=dict(epochs=50)),
    frame=dict(type='FrameAttacker', backbone=_frames, recipe=dict(epochs=100)),
    # Whoever holds the clips may train on their actions first: 30 epochs from there are worth 40
    # from scratch (train 86 %, test 62 % on clear video, fold 3, against 86 % and 63 %).
    clip=dict(type='ClipAttacker', backbone=_clip, start_from='action', recipe=dict(epochs=40)),
    # From scratch it does not learn within the time (20 epochs: train 75 %, test 63 %); from the
    # frame network's backbone it does (12 epochs: train 99 %, test 88 %).
    recurrent=dict(
        type='RecurrentAttacker',
        backbone=_frames,
        start_from='frame',
        num_frames=6,
        recipe=dict(epochs=12, lr=1e-3),
    ),
)
# An attacker counts as evidence of privacy only where it is right on this share of the clips it
# was trained on: one that learned is right on nearly all of them, whatever it makes of new ones.
learned_from = 0.9
