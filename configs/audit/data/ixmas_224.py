# IXMAS for large networks: 16 frames over the whole clip, enlarged to 224 x 168, three channels.
dataset = dict(
    type='IXMASDataset',
    ann_file='data/ixmas/annotations.csv',
    data_prefix=dict(video='data/ixmas/raw'),
    actions='six',
    pipeline=[
        dict(type='ClipInit'),
        dict(type='UniformSample', clip_len=16, num_clips=1, test_mode=True),
        dict(type='ClipDecode'),
        dict(type='Resize', scale=(168, 224), keep_ratio=False),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
# Kinetics' statistics, as in training (BDQDataPreprocessor).
mean = [110.64, 103.16, 96.29]
std = [38.76, 37.88, 40.03]
