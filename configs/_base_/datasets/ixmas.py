# IXMAS at 224 pixels, 24 consecutive frames, six actions of ten people. Protocol 'take': two takes
# to train on, one to test (folds 1 to 3). It has no validation split: validation shows the test
# split and chooses nothing. The other protocols are 'seed', 'subject' and 'view'.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=24, frame_interval=1, num_clips=1),
    dict(type='ClipDecode', grey=True),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 2**-0.25, 2**-0.75, 0.5),
        random_crop=True,
        max_wh_scale_gap=0,
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='GreyToRGB'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
# The shorter side is enlarged to 224 first: nothing is padded with zeros.
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=24, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode', grey=True),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='GreyToRGB'),
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
    min_frames=24,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(dataset, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, split='test', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
