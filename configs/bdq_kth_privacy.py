# Stage 2 on KTH: a fresh privacy network on the frozen encoder of bdq_kth.py.
# It is the paper's attacker, which sees single frames.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/retrain_50e.py',
]
encoder_file = 'work_dirs/bdq_kth/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(file=encoder_file),
        format_shape='NCTHW',
        frozen=True,
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=25, in_channels=2048),
)
pretrained = dict(privacy=_base_.privacy_weights)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
