# The quick panel: at most five minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d', in_channels=1)
_clip = dict(type='SmallConv3d', in_channels=1)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, recipe=dict(epochs=50)),
    frame=dict(type='FrameAttacker', backbone=_frames, recipe=dict(epochs=100)),
    clip=dict(type='ClipAttacker', backbone=_clip, recipe=dict(epochs=40)),
    # From scratch it does not learn within the time; from the frame network's backbone it does.
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
