# IPN Hand at 224 pixels, 32 consecutive frames; shorter gestures begin again from their start. The
# official split, 148 videos to train, 52 to test; it has no validation split: validation shows the
# test split and chooses nothing. What is to be hidden is the gender.

# No flip: some gestures are throws to the left and to the right.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1),
    dict(type='ClipDecode'),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 2**-0.25, 2**-0.75, 0.5),
        random_crop=True,
        max_wh_scale_gap=0,
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='IPNDataset',
    ann_file='data/ipn/annotations.csv',
    data_prefix=dict(video='data/ipn/videos'),
    protocol='split',
    fold=1,
    actions='gestures',
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = val_dataloader
