# BDQ on IXMAS with small networks: minutes on two CPU cores.
_base_ = ['_base_/stages/game_small.py', '_base_/datasets/ixmas_small.py']
model = dict(privacy=dict(cls_head=dict(num_classes=10)))
