# The game on KTH with small networks, for a CPU.
_base_ = ['_base_/stages/game_small.py', '_base_/datasets/kth_small.py']
model = dict(privacy=dict(cls_head=dict(num_classes=25)))
