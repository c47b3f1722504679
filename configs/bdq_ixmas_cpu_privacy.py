# Stage 2 on IXMAS with small networks: a fresh privacy network on the frozen encoder of
# bdq_ixmas_cpu.py.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ixmas_small.py',
    '_base_/models/small.py',
    '_base_/schedules/retrain_small.py',
]
encoder_file = 'work_dirs/bdq_ixmas_cpu/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(file=encoder_file),
        format_shape='NCTHW',
        frozen=True,
        **_base_.grey,
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=10, in_channels=96),
)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
# One frame of a clip an epoch, so it takes more of them.
max_epochs = 120
