# Stage 2 on your own videos: a fresh privacy network on the frozen encoder of bdq_own.py.
# It is the paper's attacker, which sees single frames.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/own.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_own/encoder.json')),
    cls_head=dict(num_classes=None),
)
