# KTH at 64 x 48 pixels and grey, 16 frames over the whole sub-sequence: for small networks.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='UniformSample', clip_len=16),
    dict(type='ClipDecode', grey=True),
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
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
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='KTHDataset',
    ann_file='data/kth/annotations.csv',
    data_prefix=dict(video='data/kth/videos'),
    protocol='subsequence',
    fold=1,
    min_frames=16,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(dataset, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, split='val', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))
