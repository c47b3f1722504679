# IXMAS as it is, 48 x 64 pixels and grey, 16 frames over the whole clip: for small networks on a
# CPU. Protocol 'take' has no validation split: validation shows the test split, chooses nothing.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='UniformSample', clip_len=16),
    dict(type='ClipDecode', grey=True),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='RandomShift', max_shift=4),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='UniformSample', clip_len=16, test_mode=True),
    dict(type='ClipDecode', grey=True),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='IXMASDataset',
    ann_file='data/ixmas/annotations.csv',
    data_prefix=dict(video='data/ixmas/raw'),
    protocol='take',
    fold=3,
    actions='six',
    min_frames=16,
    cache=True,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(dataset, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, split='test', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
