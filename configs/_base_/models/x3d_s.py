# X3D-S, Kinetics weights.
x3d_s = dict(
    type='Recognizer3D',
    backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
    cls_head=dict(
        type='X3DHead',
        in_channels=432,
        num_classes=6,
        spatial_type='avg',
        dropout_ratio=0.5,
        fc1_bias=False,
        topk=(1,),
        average_clips='prob',
    ),
)
x3d_s_weights = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/'
    'x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth'
)
