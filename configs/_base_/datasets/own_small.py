# Your own videos as a camera's small network sees them: 32 consecutive frames, 80 x 60 pixels and
# grey. The first take of each person tests, the others train. It has no validation split:
# validation shows the test split and chooses nothing. `protocol` is the column held out
# ('session'), 'split', or any declaration.

# No flip: left and right may be what tells your actions apart.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1),
    dict(type='ClipDecode', grey=True),
    dict(type='Resize', scale=(80, 60), keep_ratio=False),
    dict(type='RandomShift', max_shift=4),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode', grey=True),
    dict(type='Resize', scale=(80, 60), keep_ratio=False),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='SubjectVideoDataset',
    ann_file='data/own/annotations.csv',
    data_prefix=dict(video='data/own/videos'),
    protocol='take',
    fold=1,
    min_frames=32,
    # Decoded once, and kept as small as they are used.
    cache=dict(scale=(80, 60), grey=True),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = val_dataloader
