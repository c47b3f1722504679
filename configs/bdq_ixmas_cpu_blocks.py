# The game from where a search ended: what it may still change are the dead zone and the width of
# the levels. Against three privacy networks that see blocks as they are, each begun anew every
# tenth epoch, for an encoder that has only learned to fool one network is found out by the next.
_base_ = ['_base_/stages/game_small.py', '_base_/datasets/ixmas_small_stream.py']
model = dict(
    num_privacy_networks=3,
    data_preprocessor=dict(encoder=dict(_delete_=True, file='blocks_every4_48x64')),
    recognizer=dict(
        backbone=dict(channels=(32, 64, 96, 128), strides=(1, (2, 1, 1), (2, 2, 2), (2, 1, 1))),
        cls_head=dict(in_channels=128),
    ),
    privacy=dict(
        backbone=dict(channels=(32, 64, 96), strides=(1, 1, 2)),
        cls_head=dict(num_classes=10),
    ),
)
# Each fourth frame, as the search chose.
sampling = dict(type='SampleFrames', clip_len=11, frame_interval=4, num_clips=1)
train_pipeline = [_base_.train_pipeline[0], sampling, *_base_.train_pipeline[2:]]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(sampling, test_mode=True),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
custom_hooks = [dict(type='RestartPrivacyHook', interval=10)]
