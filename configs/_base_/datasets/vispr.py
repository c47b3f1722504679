# VISPR at 224 pixels: the seven attributes of SPAct on still images, over which a window moves, for
# an encoder of motion shows nothing of a still. Its own split; validation chooses nothing.
train_pipeline = [
    dict(type='StillInit', clip_len=8),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='ClipDecode'),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='StillInit', clip_len=8),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
dataset = dict(
    type='SubjectVideoDataset',
    ann_file='data/vispr/annotations.csv',
    data_prefix=dict(video='data/vispr'),
    protocol='split',
    privacy=[
        'a4_gender',
        'a9_face_complete',
        'a10_face_partial',
        'a12_semi_nudity',
        'a17_color',
        'a64_rel_personal',
        'a65_rel_social',
    ],
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
