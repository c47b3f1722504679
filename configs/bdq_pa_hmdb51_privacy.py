# Stage 2 on PA-HMDB51: what an encoder trained elsewhere leaves of five attributes (cMAP).
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/pa_hmdb51.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_kth/encoder.json')),
    cls_head=dict(num_classes=5, attributes=True),
)
val_evaluator = [dict(type='AttributeMetric', prefix='privacy')]
test_evaluator = val_evaluator
