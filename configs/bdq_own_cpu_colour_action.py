# bdq_own_cpu_action.py in colour and at 112 x 84 pixels: networks of three channels.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/own_small_colour.py']
model = dict(
    data_preprocessor=dict(
        encoder=dict(file='bdq_hard_ixmas_take3'),
        mean=[110.64, 103.16, 96.29],
        std=[38.76, 37.88, 40.03],
    ),
    backbone=dict(in_channels=3),
    cls_head=dict(num_classes=None),
)
train_cfg = dict(max_epochs=80)
