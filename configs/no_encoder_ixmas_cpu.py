# IXMAS in clear with small networks. There is no game, so alpha is 0.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ixmas_small.py',
    '_base_/encoders/pass_through.py',
    '_base_/models/small.py',
    '_base_/schedules/adversarial_small.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=0.0,
    num_privacy_networks=1,
    data_preprocessor=dict(
        type='BDQDataPreprocessor', encoder=_base_.encoder, format_shape='NCTHW', **_base_.grey
    ),
    recognizer=_base_.action_network,
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=10, in_channels=96),
    ),
)
max_epochs = 60
