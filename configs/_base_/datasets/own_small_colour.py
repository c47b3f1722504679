# own_small.py in colour and at 112 x 84 pixels: what to change for another size, or for colour.
_base_ = ['own_small.py']
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='RandomShift', max_shift=6),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
cache = dict(scale=(112, 84), grey=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, cache=cache))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, cache=cache))
test_dataloader = val_dataloader
