# A panel of the attacker of own_attacker.py alone; put its line into another panel to compare.
custom_imports = dict(imports=['own_attacker'], allow_failed_imports=False)
panel = dict(motion_map=dict(type='MotionMapAttacker', grid=(6, 8)))
controls = ('permuted',)
control_from = 0.75
