# Stage 2 of the demo: a fresh action network on the frozen encoder of bdq_demo.py.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/demo.py']
model = dict(data_preprocessor=dict(encoder=dict(file='work_dirs/demo/bdq/encoder.json')))
train_cfg = dict(max_epochs=10)
