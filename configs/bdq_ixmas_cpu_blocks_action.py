# Stage 2 for a camera whose codes hide more: a fresh action network on three levels of the mean
# difference of blocks of 8 x 8 pixels, 6 x 8 of them. It reads each third frame, 11 of them
# (1.3 s): between neighbours most blocks do not leave the dead zone. It reads frames of any size.
# The network of the zoo `ixmas_six_blocks` is a training of this recipe.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/ixmas_small_stream.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='blocks_48x64')),
    backbone=dict(channels=(32, 64, 96, 128), strides=(1, (2, 1, 1), (2, 2, 2), (2, 1, 1))),
    cls_head=dict(in_channels=128),
)
sampling = dict(type='SampleFrames', clip_len=11, frame_interval=3, num_clips=1)
train_pipeline = [_base_.train_pipeline[0], sampling, *_base_.train_pipeline[2:]]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(sampling, test_mode=True),
    _base_.test_pipeline[2],
    dict(type='Resize', scale=(-1, 48)),
    dict(type='WholeBlocks', block=8),
    *_base_.test_pipeline[3:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# Codes of 6 x 8 say little of a frame: it takes longer to learn them, and a step is short.
train_cfg = dict(max_epochs=60, val_begin=60)
default_hooks = dict(checkpoint=dict(interval=20))
