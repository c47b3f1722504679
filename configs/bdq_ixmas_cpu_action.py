# Stage 2 on IXMAS with small networks: a fresh action network on the frozen encoder of
# bdq_ixmas_cpu.py.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/ixmas_small.py']
model = dict(data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_ixmas_cpu/encoder.json')))
