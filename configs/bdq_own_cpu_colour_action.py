# bdq_own_cpu_action.py in colour and at 112 x 84 pixels: three channels, Kinetics' statistics.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/own_small_colour.py']
model = dict(
    data_preprocessor=dict(
        encoder=dict(preset='bdq_hard'),
        init_cfg=dict(checkpoint='bdq_plugin/encoders/zoo/bdq_hard_ixmas_take3.json'),
        mean=[110.64, 103.16, 96.29],
        std=[38.76, 37.88, 40.03],
    ),
    backbone=dict(in_channels=3),
    cls_head=dict(num_classes=None),
)
train_cfg = dict(max_epochs=80)
