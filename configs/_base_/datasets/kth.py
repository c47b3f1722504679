# KTH at 224 pixels, 32 consecutive frames. The protocol is the earlier reproduction's; the others
# are 'scenario' (folds 1 to 4), 'official' and 'random60'.
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1),
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
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode', grey=True),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='GreyToRGB'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='KTHDataset',
    ann_file='data/kth/annotations.csv',
    data_prefix=dict(video='data/kth/videos'),
    protocol='subsequence',
    fold=1,
    min_frames=32,
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
    dataset=dict(dataset, split='val', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))
