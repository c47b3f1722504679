# Your own videos for the audit: 16 frames over the whole clip, 80 x 60 pixels and grey.
dataset = dict(
    type='SubjectVideoDataset',
    ann_file='data/own/annotations.csv',
    data_prefix=dict(video='data/own/videos'),
    min_frames=16,
    pipeline=[
        dict(type='ClipInit'),
        dict(type='UniformSample', clip_len=16, num_clips=1, test_mode=True),
        dict(type='ClipDecode', grey=True),
        dict(type='Resize', scale=(80, 60), keep_ratio=False),
        dict(type='ToGray'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
# One channel: the first of Kinetics' statistics, as in training (_base_/models/small.py).
mean = [110.64]
std = [38.76]
