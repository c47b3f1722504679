# The paper's game on SBU Kinect Interaction: 16 frames, alpha 2, 8 interactions, 13 pairs.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/sbu.py',
    '_base_/encoders/bdq.py',
    '_base_/models/i3d_r50.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/adversarial_50e.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=2.0,
    num_privacy_networks=1,
    held_norm='batch',
    data_preprocessor=dict(type='BDQDataPreprocessor', encoder=_base_.encoder),
    recognizer=dict(
        _base_.action_network,
        cls_head=dict(_base_.action_network['cls_head'], num_classes=8),
    ),
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=13, in_channels=2048),
    ),
)
pretrained = dict(action=_base_.action_weights, privacy=_base_.privacy_weights)
