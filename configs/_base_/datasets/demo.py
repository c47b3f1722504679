# Synthetic KTH as tools/demo.py writes it: five people, small enough to be kept in memory.
_base_ = 'kth_small.py'
dataset = dict(
    ann_file='work_dirs/demo/data/annotations.csv',
    data_prefix=dict(video='work_dirs/demo/data/videos'),
    subjects=[f'person{i:02d}' for i in range(1, 6)],
    cache=True,
)
train_dataloader = dict(num_workers=0, dataset=dataset)
val_dataloader = dict(num_workers=0, dataset=dataset)
test_dataloader = dict(num_workers=0, dataset=dataset)
