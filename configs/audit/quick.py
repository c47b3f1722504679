# The quick panel: at most five minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d', in_channels=1)
_clip = dict(type='SmallConv3d', in_channels=1)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, recipe=dict(epochs=50)),
    frame=dict(type='FrameAttacker', backbone=_frames, recipe=dict(epochs=100)),
    clip=dict(type='ClipAttacker', backbone=_clip, recipe=dict(epochs=40)),
    recurrent=dict(
        type='RecurrentAttacker', backbone=_frames, num_frames=6, recipe=dict(epochs=20)
    ),
)
# An attacker counts as evidence of privacy only where it is right on this share of the clips it
# was trained on.
learned_from = 0.9
