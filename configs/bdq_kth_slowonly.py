# The game on KTH with SlowOnly ResNet-50 in I3D's place; only that line of _base_ differs.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth.py',
    '_base_/encoders/bdq.py',
    '_base_/models/slowonly_r50.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/adversarial_50e.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    num_privacy_networks=1,
    held_norm='batch',
    data_preprocessor=dict(
        type='BDQDataPreprocessor', encoder=_base_.encoder, format_shape='NCTHW'
    ),
    recognizer=_base_.action_network,
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=25, in_channels=2048),
    ),
)
pretrained = dict(action=_base_.action_weights, privacy=_base_.privacy_weights)
