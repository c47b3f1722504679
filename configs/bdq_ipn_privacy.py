# Stage 2 on IPN Hand: a fresh privacy network on the frozen encoder of bdq_ipn.py.
# Of the test videos 61.5 % are of men: that is what knowing nothing scores.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/ipn.py']
model = dict(
    data_preprocessor=dict(init_cfg=dict(checkpoint='work_dirs/bdq_ipn/encoder.json')),
    cls_head=dict(num_classes=2),
)
