# The paper's game on SBU Kinect Interaction: 16 frames, alpha 2, 8 interactions, 13 pairs.
_base_ = ['_base_/stages/game_r50.py', '_base_/datasets/sbu.py']
model = dict(
    alpha=2.0,
    recognizer=dict(cls_head=dict(num_classes=8)),
    privacy=dict(cls_head=dict(num_classes=13)),
)
