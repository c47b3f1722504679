# IXMAS for the audit: 16 frames over the whole clip at their native 64 x 48, grey.
dataset = dict(
    type='IXMASDataset',
    ann_file='data/ixmas/annotations.csv',
    data_prefix=dict(video='data/ixmas/raw'),
    actions='six',
    pipeline=[
        dict(type='ClipInit'),
        dict(type='UniformSample', clip_len=16, num_clips=1, test_mode=True),
        dict(type='ClipDecode'),
        dict(type='ToGray'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
# One channel: the first of Kinetics' statistics, as in training (_base_/models/small.py).
mean = [110.64]
std = [38.76]
