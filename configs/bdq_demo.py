# The game on synthetic KTH, small networks, a minute on two CPU cores. `make demo` runs it.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/kth_small.py',
    '_base_/encoders/bdq.py',
    '_base_/models/small.py',
    '_base_/schedules/adversarial_small.py',
]
data_root = 'work_dirs/demo/data/videos'
ann_file = 'work_dirs/demo/data/annotations.csv'
max_epochs = 10
num_subjects = 5
model = dict(
    type='AdversarialRecognizer',
    alpha=1.0,
    data_preprocessor=dict(
        type='BDQDataPreprocessor', encoder=_base_.encoder, format_shape='NCTHW', **_base_.grey
    ),
    recognizer=_base_.action_network,
    privacy=dict(
        **_base_.privacy_network,
        cls_head=dict(type='PrivacyHead', num_classes=num_subjects, in_channels=96),
    ),
)
people = [f'person{i:02d}' for i in range(1, num_subjects + 1)]
train_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
val_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
test_dataloader = dict(num_workers=0, dataset=dict(subjects=people, cache=True))
train_cfg = dict(phases=[dict(name='action', steps=1), dict(name='privacy', steps=2)])
