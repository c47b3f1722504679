# IXMAS under a condition. As ixmas_still.py, for half a minute: whoever averages the frames sees
# how often each code leaves its rest.
_base_ = 'ixmas.py'
conditions = [dict(type='StandStill', electrons=1000.0, frames=720)]
