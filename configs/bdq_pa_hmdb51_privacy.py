# Stage 2 on PA-HMDB51: what an encoder trained elsewhere leaves of five attributes (cMAP).
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/pa_hmdb51.py',
    '_base_/encoders/bdq.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/retrain_50e.py',
]
encoder_file = 'work_dirs/bdq_kth/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=5, in_channels=2048, attributes=True),
)
pretrained = dict(privacy=_base_.privacy_weights)
val_evaluator = [dict(type='AttributeMetric', prefix='privacy')]
test_evaluator = val_evaluator
