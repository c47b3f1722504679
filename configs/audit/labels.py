# What leaves where the action network runs in the camera: labels and times. For clear video, which
# such a network sees: `--encoder pass_through`. Two or three minutes of one core a fold.
_base_ = 'quick.py'

panel = dict(frame=None)
controls = ('label', 'label_stream')
