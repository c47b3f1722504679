# IXMAS under a condition. A camera that sends strongly compressed JPEG pictures to the encoder.
_base_ = 'ixmas.py'
conditions = [dict(type='CompressFrames', quality=20)]
