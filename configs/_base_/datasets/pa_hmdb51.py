# PA-HMDB51 at 224 pixels, 16 consecutive frames: five attributes of HMDB51's videos. It has no
# split of its own; here 60 % of the videos train, drawn at random by the hash of their names.
_base_ = ['ucf101.py']
dataset = dict(
    ann_file='data/hmdb51/attributes.csv',
    data_prefix=dict(video='data/hmdb51/videos'),
    protocol=dict(_delete_=True, ratio=(60, 40)),
    privacy=['face', 'gender', 'nudity', 'relationship', 'skin_color'],
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
