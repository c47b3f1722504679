# Stage 2: a fresh I3D ResNet-50 on a frozen encoder. The recipe says whose.
_base_ = ['../default_runtime.py', '../models/i3d_r50.py', '../schedules/retrain_50e.py']
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(),
        format_shape='NCTHW',
        frozen=True,
    ),
    **_base_.i3d_r50,
)
default_hooks = dict(
    action_weights=dict(
        type='PretrainedBackboneHook', module='backbone', checkpoint=_base_.i3d_r50_weights
    )
)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
