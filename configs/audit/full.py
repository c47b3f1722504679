# The full panel: every kind of attacker.
_base_ = 'quick.py'

_frames = dict(type='SmallConv2d', in_channels=1)

panel = dict(
    probe=dict(type='LinearProbe', grid=(16, 12), recipe=dict(epochs=100)),
    transformer=dict(
        type='TransformerAttacker',
        backbone=_frames,
        start_from='frame',
        num_frames=6,
        recipe=dict(epochs=12, lr=1e-3),
    ),
    inversion=dict(
        type='InversionAttacker',
        window=5,
        recipe=dict(epochs=40),
        witness=dict(type='FrameAttacker', backbone=_frames, recipe=dict(epochs=100)),
    ),
    # With weights of ImageNet at hand, add a line such as
    # pretrained=dict(type='FrameAttacker', backbone=dict(type='ResNet', depth=50,
    #     pretrained='weights/resnet50.pth', in_channels=1), recipe=dict(epochs=30)),
)
