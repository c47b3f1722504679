# Stage 2 on UCF101: what an encoder trained elsewhere leaves of 101 actions. The same for HMDB51:
# ann_file=data/hmdb51/annotations.csv data_root=data/hmdb51/videos.
_base_ = ['_base_/stages/action_r50.py', '_base_/datasets/ucf101.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='work_dirs/bdq_kth/encoder.json')),
    cls_head=dict(num_classes=None),
)
