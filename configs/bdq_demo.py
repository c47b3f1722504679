# The game on synthetic KTH, small networks, a minute on two CPU cores. `make demo` runs it.
_base_ = ['_base_/stages/game_small.py', '_base_/datasets/demo.py']
model = dict(privacy=dict(cls_head=dict(num_classes=5)))
train_cfg = dict(
    max_epochs=10, phases=[dict(name='action', steps=1), dict(name='privacy', steps=2)]
)
