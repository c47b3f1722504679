# IXMAS under a condition. People at twice the distance.
_base_ = 'ixmas.py'
conditions = [dict(type='StepBack', scale=0.5)]
