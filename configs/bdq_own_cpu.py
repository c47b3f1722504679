# The game on your own videos with small networks: minutes on two CPU cores. Its encoder is the one
# to deploy, whole levels in a fixed range, as those of the zoo are.
_base_ = ['_base_/stages/game_small.py', '_base_/datasets/own_small.py']
model = dict(
    data_preprocessor=dict(encoder=dict(preset='bdq_hard')),
    recognizer=dict(cls_head=dict(num_classes=None)),
    privacy=dict(cls_head=dict(num_classes=None)),
)
# A folder of one's own is small: an epoch of it is a few steps.
train_cfg = dict(max_epochs=80)
