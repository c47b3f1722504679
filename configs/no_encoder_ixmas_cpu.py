# IXMAS in clear with small networks. There is no game, so alpha is 0.
_base_ = 'bdq_ixmas_cpu.py'
model = dict(alpha=0.0, data_preprocessor=dict(encoder=dict(preset='pass_through')))
train_cfg = dict(max_epochs=60)
