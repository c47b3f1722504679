# Stage 2 on IPN Hand: a fresh privacy network on the frozen encoder of bdq_ipn.py.
# It is the paper's attacker, which sees single frames; majority is 61.5 % of the test videos.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/ipn.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_ipn/encoder.json')),
    cls_head=dict(num_classes=2),
)
