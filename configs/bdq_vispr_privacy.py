# Stage 2 on VISPR: what an encoder trained elsewhere leaves of seven attributes, as SPAct scores it
# (cMAP).
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/vispr.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_kth/encoder.json')),
    cls_head=dict(num_classes=7, attributes=True),
)
val_evaluator = [dict(type='AttributeMetric', prefix='privacy')]
test_evaluator = val_evaluator
