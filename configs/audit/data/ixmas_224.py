# IXMAS for large networks: every frame, up to 64 from the middle of a clip, enlarged to 224 x 168,
# three channels.
dataset = dict(
    type='IXMASDataset',
    ann_file='data/ixmas/annotations.csv',
    data_prefix=dict(video='data/ixmas/raw'),
    actions='six',
    pipeline=[
        dict(type='ClipInit'),
        dict(type='AllFrames', max_frames=64),
        dict(type='ClipDecode'),
        dict(type='Resize', scale=(168, 224), keep_ratio=False),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs'),
    ],
)
sampling = dict(kind='consecutive')
# Kinetics' statistics, as in training (BDQDataPreprocessor).
mean = [110.64, 103.16, 96.29]
std = [38.76, 37.88, 40.03]
