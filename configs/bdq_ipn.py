# The paper's game on IPN Hand: 32 frames, alpha 8, 13 gestures, the gender of the person.
_base_ = ['_base_/stages/game_r50.py', '_base_/datasets/ipn.py']
model = dict(
    alpha=8.0,
    recognizer=dict(cls_head=dict(num_classes=13)),
    privacy=dict(cls_head=dict(num_classes=2)),
)
