# IXMAS for the audit: every frame of a clip, as a camera sends them, at its native 64 x 48, grey.
dataset = dict(
    type='IXMASDataset',
    ann_file='data/ixmas/annotations.csv',
    data_prefix=dict(video='data/ixmas/raw'),
    actions='six',
    pipeline=[
        dict(type='ClipInit'),
        dict(type='AllFrames'),
        dict(type='ClipDecode'),
        dict(type='ToGray'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
# 'consecutive': all frames go through the encoder, one after the other.
sampling = dict(kind='consecutive')
# One channel: the first of Kinetics' statistics, as in training (_base_/models/small.py).
mean = [110.64]
std = [38.76]
