# The small game with X3D-S of MMAction2 as its recognizer, on one channel.
_base_ = ['../../configs/bdq_own_cpu.py']
model = dict(
    recognizer=dict(
        _delete_=True,
        type='Recognizer3D',
        backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2, in_channels=1),
        cls_head=dict(
            type='X3DHead',
            in_channels=432,
            num_classes=None,
            spatial_type='avg',
            dropout_ratio=0.5,
            fc1_bias=False,
            topk=(1,),
            average_clips='prob',
        ),
    ),
)
