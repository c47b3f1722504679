# IXMAS with 16 frames spread over each clip, as recognizers see it and no camera sends it.
_base_ = 'ixmas.py'
sampling = dict(kind='spread', frames=16)
