# Stage 2 on your own videos: a fresh privacy network on the frozen encoder of bdq_own.py.
# It is the paper's attacker, which sees single frames.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/own.py',
    '_base_/encoders/bdq.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/retrain_50e.py',
]
encoder_file = 'work_dirs/bdq_own/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=None, in_channels=2048),
)
pretrained = dict(privacy=_base_.privacy_weights)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
