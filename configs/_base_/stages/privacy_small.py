# Stage 2 with six-layer networks: a fresh privacy network on a frozen encoder. The recipe
# says whose.
_base_ = ['../default_runtime.py', '../models/small.py', '../schedules/retrain_small.py']
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(),
        format_shape='NCTHW',
        frozen=True,
        **_base_.grey,
    ),
    **_base_.small_privacy,
)
# One frame of a clip an epoch, so it takes more of them.
train_cfg = dict(max_epochs=120)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
