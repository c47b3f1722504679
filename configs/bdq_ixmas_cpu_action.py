# Stage 2 on IXMAS with small networks: a fresh action network on the frozen encoder of
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
    **_base_.action_network,
)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
