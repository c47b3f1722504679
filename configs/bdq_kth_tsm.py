# The game on KTH with a 2D recognizer: TSM on the 8 differences of 9 frames.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth.py',
    '_base_/encoders/bdq.py',
    '_base_/models/tsm_r50.py',
    '_base_/models/privacy_r50.py',
    '_base_/schedules/adversarial_50e.py',
]
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    num_privacy_networks=1,
    held_norm='batch',
    data_preprocessor=dict(type='BDQDataPreprocessor', encoder=_base_.encoder, format_shape='NCHW'),
    recognizer=_base_.action_network,
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=25, in_channels=2048),
    ),
)
pretrained = dict(action=_base_.action_weights, privacy=_base_.privacy_weights)


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


train_dataloader = dict(dataset=dict(pipeline=_segments(_base_.train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=_segments(_base_.test_pipeline)))
test_dataloader = dict(dataset=dict(pipeline=_segments(_base_.test_pipeline)))
