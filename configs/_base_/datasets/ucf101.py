# UCF101 at 224 pixels, 16 consecutive frames, split 1 of its authors. It has no validation split:
# validation shows the test split and chooses nothing. Nobody says who is who.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='ClipDecode'),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 2**-0.25, 2**-0.75, 0.5),
        random_crop=True,
        max_wh_scale_gap=0,
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='SubjectVideoDataset',
    ann_file='data/ucf101/annotations.csv',
    data_prefix=dict(video='data/ucf101/videos'),
    protocol=dict(column='split1'),
    privacy=None,
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
