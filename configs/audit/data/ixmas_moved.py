# IXMAS for an attacker who has clear video of the people and encodes it again and again, as if the
# camera had stood a little otherwise.
_base_ = 'ixmas.py'
sampling = dict(kind='consecutive', shift=4)
