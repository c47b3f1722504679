# Stage 2 on IPN Hand: a fresh privacy network on the frozen encoder of bdq_ipn.py.
# It is the paper's attacker, which sees single frames; majority is 61.5 % of the test videos.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ipn.py',
    '_base_/encoders/bdq.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/retrain_50e.py',
]
encoder_file = 'work_dirs/bdq_ipn/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=2, in_channels=2048),
)
pretrained = dict(privacy=_base_.privacy_weights)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
