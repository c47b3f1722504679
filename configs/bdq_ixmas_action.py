# Stage 2 on IXMAS: a fresh action network on the frozen encoder of bdq_ixmas.py.
_base_ = ['_base_/stages/action_r50.py', '_base_/datasets/ixmas.py']
model = dict(data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_ixmas/encoder.json')))
