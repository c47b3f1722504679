# Stage 2 on IPN Hand: a fresh action network on the frozen encoder of bdq_ipn.py.
_base_ = ['_base_/stages/action_r50.py', '_base_/datasets/ipn.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_ipn/encoder.json')),
    cls_head=dict(num_classes=13),
)
