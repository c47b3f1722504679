# The paper's game on IPN Hand: 32 frames, alpha 8, 13 gestures, the gender of the person.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ipn.py',
    '_base_/encoders/bdq.py',
    '_base_/models/i3d_r50.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/adversarial_50e.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=8.0,
    num_privacy_networks=1,
    held_norm='batch',
    data_preprocessor=dict(type='BDQDataPreprocessor', encoder=_base_.encoder),
    recognizer=dict(
        _base_.action_network,
        cls_head=dict(_base_.action_network['cls_head'], num_classes=13),
    ),
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=2, in_channels=2048),
    ),
)
pretrained = dict(action=_base_.action_weights, privacy=_base_.privacy_weights)
