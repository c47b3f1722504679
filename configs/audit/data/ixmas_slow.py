# IXMAS under a condition. A camera of a third of the rate.
_base_ = 'ixmas.py'
conditions = [dict(type='DropFrames', keep=3)]
