# Stage 1 with six-layer networks, for a CPU: BDQ and an action network against a privacy network.
_base_ = ['../default_runtime.py', '../models/small.py', '../schedules/adversarial_small.py']
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    num_privacy_networks=1,
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(preset='bdq'),
        format_shape='NCTHW',
        **_base_.grey,
    ),
    recognizer=_base_.small_action,
    privacy=_base_.small_privacy,
)
val_evaluator = [_base_.action_metric, _base_.privacy_metric]
test_evaluator = val_evaluator
