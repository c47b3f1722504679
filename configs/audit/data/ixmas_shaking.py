# IXMAS under a condition. A camera in a hand or in the wind.
_base_ = 'ixmas.py'
conditions = [dict(type='ShakeCamera', pixels=1.0)]
