# Stage 2 on KTH: a fresh privacy network on the frozen encoder of bdq_kth.py.
_base_ = ['_base_/stages/privacy_r50.py', '_base_/datasets/kth.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_kth/encoder.json')),
    cls_head=dict(num_classes=25),
)
