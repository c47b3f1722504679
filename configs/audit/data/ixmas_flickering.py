# IXMAS under a condition. Lamps that flicker.
_base_ = 'ixmas.py'
conditions = [dict(type='FlickerLight', amplitude=0.1, period=5.0)]
