# KTH in clear: what both networks reach without an encoder. There is no game, so alpha is 0.
_base_ = 'bdq_kth.py'
model = dict(alpha=0.0, data_preprocessor=dict(encoder=dict(preset='pass_through')))
