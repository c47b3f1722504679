# Stage 1, the paper's game: BDQ and an I3D ResNet-50 against a ResNet-50, alpha 1.
_base_ = [
    '../default_runtime.py',
    '../models/i3d_r50.py',
    '../models/privacy_r50.py',
    '../schedules/adversarial_50e.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    num_privacy_networks=1,
    held_norm='batch',
    data_preprocessor=dict(
        type='BDQDataPreprocessor', encoder=dict(preset='bdq'), format_shape='NCTHW'
    ),
    recognizer=_base_.i3d_r50,
    privacy=_base_.privacy_r50,
)
default_hooks = dict(
    action_weights=dict(
        type='PretrainedBackboneHook',
        module='recognizer.backbone',
        checkpoint=_base_.i3d_r50_weights,
    )
)
val_evaluator = [_base_.action_metric, _base_.privacy_metric]
test_evaluator = val_evaluator
