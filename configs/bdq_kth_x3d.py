# The game on KTH with X3D-S in I3D's place.
_base_ = ['bdq_kth.py', '_base_/models/x3d_s.py']
model = dict(recognizer=dict(_delete_=True, **_base_.x3d_s))
default_hooks = dict(action_weights=dict(checkpoint=_base_.x3d_s_weights))
