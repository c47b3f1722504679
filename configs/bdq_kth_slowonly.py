# The game on KTH with SlowOnly ResNet-50 in I3D's place.
_base_ = ['bdq_kth.py', '_base_/models/slowonly_r50.py']
model = dict(recognizer=dict(_delete_=True, **_base_.slowonly_r50))
default_hooks = dict(action_weights=dict(checkpoint=_base_.slowonly_r50_weights))
