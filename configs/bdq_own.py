# The paper's game on your own videos: BDQ, I3D ResNet-50 against ResNet-50, alpha 1.
# As many actions and people as the annotation has.
_base_ = ['_base_/stages/game_r50.py', '_base_/datasets/own.py']
model = dict(
    recognizer=dict(cls_head=dict(num_classes=None)),
    privacy=dict(cls_head=dict(num_classes=None)),
)
