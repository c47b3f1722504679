# TSM ResNet-50, Kinetics weights: a 2D network over 8 frames of the encoded clip.
tsm_r50 = dict(
    type='Recognizer2D',
    backbone=dict(
        type='ResNetTSM',
        pretrained=None,
        pretrained2d=False,
        depth=50,
        num_segments=8,
        norm_eval=False,
        shift_div=8,
    ),
    cls_head=dict(
        type='TSMHead',
        num_classes=6,
        in_channels=2048,
        num_segments=8,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        init_std=0.001,
        is_shift=True,
        topk=(1,),
        average_clips='prob',
    ),
)
tsm_r50_weights = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth'
)
