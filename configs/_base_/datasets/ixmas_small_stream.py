# IXMAS as a camera's network sees it: 32 consecutive frames (1.4 s), 48 x 64 pixels and grey.
# A camera subtracts each frame from the next one. ixmas_small.py samples first, so that its
# differences are of frames some five apart, which no stream of codes contains.
_base_ = ['ixmas_small.py']
train_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1),
    dict(type='ClipDecode', grey=True),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='RandomShift', max_shift=4),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
test_pipeline = [
    dict(type='ClipInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='ClipDecode', grey=True),
    dict(type='ToGray'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackSubjectInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, min_frames=32))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, min_frames=32))
test_dataloader = val_dataloader
