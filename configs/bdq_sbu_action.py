# Stage 2 on SBU: a fresh action network on the frozen encoder of bdq_sbu.py.
_base_ = ['_base_/stages/action_r50.py', '_base_/datasets/sbu.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_sbu/encoder.json')),
    cls_head=dict(num_classes=8),
)
