# Stage 2 on KTH: a fresh action network on the frozen encoder of bdq_kth.py.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth.py',
    '_base_/models/i3d_r50.py',
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
    **_base_.action_network,
)
pretrained = dict(action=_base_.action_weights)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
