# coarse.py for a camera that encodes a few frames a second (--every 4): 16 of these are a whole
# action, so that windows are of neighbours.
_base_ = './coarse.py'
panel = dict(action=dict(stride=1), clip=dict(stride=1))
