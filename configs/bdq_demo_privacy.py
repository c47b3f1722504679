# Stage 2 of the demo: a fresh privacy network on the frozen encoder of bdq_demo.py.
_base_ = ['_base_/stages/privacy_small.py', '_base_/datasets/demo.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/demo/bdq/encoder.json')),
    cls_head=dict(num_classes=5),
)
train_cfg = dict(max_epochs=20)
