# Stage 2 on IXMAS: a fresh privacy network on the frozen encoder of bdq_ixmas.py.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/ixmas.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_ixmas/encoder.json')),
    cls_head=dict(num_classes=10),
)
