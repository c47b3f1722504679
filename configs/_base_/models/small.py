# Six-layer networks for grey frames of 48 x 64 pixels; they learn IXMAS in minutes on two cores.
small_action = dict(
    type='Recognizer3D',
    backbone=dict(type='SmallConv3d', in_channels=1),
    cls_head=dict(
        type='I3DHead',
        num_classes=6,
        in_channels=96,
        dropout_ratio=0.5,
        init_std=0.01,
        topk=(1,),
        average_clips='prob',
    ),
)
small_privacy = dict(
    type='PrivacyRecognizer',
    backbone=dict(type='SmallConv2d', in_channels=1),
    cls_head=dict(type='PrivacyHead', in_channels=96),
)
# One channel: the first of Kinetics' statistics.
grey = dict(mean=[110.64], std=[38.76])
