"""The demo with nothing left to chance: no augmentation, dropout or batch statistics, one frame.

With random draws or batch statistics, two processes with half a batch each could not equal one.
"""

_base_ = ['../configs/bdq_demo.py']
pipeline = [
    dict(type='ClipInit'),
    dict(type='UniformSample', clip_len=2, test_mode=True),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(32, 24), keep_ratio=False),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(pipeline=pipeline))
sgd = dict(_delete_=True, type='SGD', lr=0.05, momentum=0.9)
optim_wrapper = dict(action=dict(optimizer=sgd), privacy=dict(optimizer=sgd))
model = dict(
    recognizer=dict(
        backbone=dict(
            _delete_=True,
            type='ResNet3dSlowOnly',
            depth=18,
            base_channels=8,
            in_channels=1,
            pretrained=None,
            pretrained2d=False,
            lateral=False,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, 1, 1),
            norm_eval=True,
        ),
        cls_head=dict(in_channels=64, dropout_ratio=0.0),
    ),
    privacy=dict(
        backbone=dict(
            _delete_=True,
            type='ResNet',
            depth=18,
            in_channels=1,
            pretrained=None,
            norm_eval=True,
        ),
        cls_head=dict(in_channels=512, dropout_ratio=0.0),
    ),
)
