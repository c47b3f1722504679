# Stage 2: a fresh ResNet-50, the paper's attacker, which sees single frames, on a frozen encoder.
# The recipe says whose.
_base_ = ['../default_runtime.py', '../models/privacy_r50.py', '../schedules/retrain_50e.py']
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(),
        format_shape='NCTHW',
        frozen=True,
    ),
    **_base_.privacy_r50,
)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
