# KTH for the audit: the middle of each sub-sequence, up to 48 frames as a camera sends them, at
# half size, 80 x 60, grey.
dataset = dict(
    type='KTHDataset',
    ann_file='data/kth/annotations.csv',
    data_prefix=dict(video='data/kth/videos'),
    min_frames=16,
    pipeline=[
        dict(type='ClipInit'),
        dict(type='AllFrames', max_frames=48),
        dict(type='ClipDecode'),
        dict(type='Resize', scale=(80, 60), keep_ratio=False),
        dict(type='ToGray'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
sampling = dict(kind='consecutive')
# One channel: the first of Kinetics' statistics, as in training (_base_/models/small.py).
mean = [110.64]
std = [38.76]
