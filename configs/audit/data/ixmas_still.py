# IXMAS under a condition. People who stand still before a noisy sensor.
_base_ = 'ixmas.py'
conditions = [dict(type='StandStill', electrons=1000.0)]
