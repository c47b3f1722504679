# The game on KTH with a 2D recognizer: TSM on the 8 differences of 9 frames.
_base_ = ['bdq_kth.py', '_base_/models/tsm_r50.py']
model = dict(
    data_preprocessor=dict(format_shape='NCHW'),
    recognizer=dict(_delete_=True, **_base_.tsm_r50),
)
default_hooks = dict(action_weights=dict(checkpoint=_base_.tsm_r50_weights))


def _segments(pipeline):
    """9 frames over the clip, laid out for a 2D recognizer."""
    return [
        dict(step, clip_len=1, num_clips=9)
        if step['type'] == 'SampleFrames'
        else dict(step, input_format='NCHW')
        if step['type'] == 'FormatShape'
        else step
        for step in pipeline
    ]


train_pipeline = _segments(_base_.train_pipeline)
test_pipeline = _segments(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
