# Stage 2 on SBU: a fresh privacy network on the frozen encoder of bdq_sbu.py.
# It is the paper's attacker, which sees single frames.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/sbu.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_sbu/encoder.json')),
    cls_head=dict(num_classes=13),
)
