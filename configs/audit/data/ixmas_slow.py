# IXMAS under a condition. A camera of a third of the rate.
_base_ = 'ixmas.py'
sampling = dict(every=3)
