# The game on your own videos with small networks: minutes on two CPU cores. Its encoder is the one
# to deploy, whole levels in a fixed range, as those of the zoo are.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/own_small.py',
    '_base_/encoders/bdq_hard.py',
    '_base_/models/small.py',
    '_base_/schedules/adversarial_small.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    num_privacy_networks=1,
    data_preprocessor=dict(type='BDQDataPreprocessor', encoder=_base_.encoder, **_base_.grey),
    recognizer=dict(
        _base_.action_network,
        cls_head=dict(_base_.action_network['cls_head'], num_classes=None),
    ),
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=None, in_channels=96),
    ),
)
# A folder of one's own is small: an epoch of it is a few steps.
max_epochs = 80
