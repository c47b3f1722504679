# Stage 2 of the demo: a fresh privacy network on the frozen encoder of
# bdq_demo.py.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth_small.py',
    '_base_/models/small.py',
    '_base_/schedules/retrain_small.py',
]
encoder_file = 'work_dirs/demo/bdq/encoder.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(file=encoder_file),
        format_shape='NCTHW',
        frozen=True,
        **_base_.grey,
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=5, in_channels=96),
)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
data_root = 'work_dirs/demo/data/videos'
ann_file = 'work_dirs/demo/data/annotations.csv'
max_epochs = 20
people = [f'person{i:02d}' for i in range(1, 6)]
train_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
val_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
test_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
