# The paper's game on KTH: BDQ, I3D ResNet-50 against ResNet-50, alpha 1.
_base_ = ['_base_/stages/game_r50.py', '_base_/datasets/kth.py']
model = dict(privacy=dict(cls_head=dict(num_classes=25)))
