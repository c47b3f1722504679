# Stage 2 for a camera: a fresh action network on the codes of consecutive frames, from a hard
# encoder of the zoo. Its checkpoint is one for tools/recognize.py on .bdq files and live streams.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ixmas_small_stream.py',
    '_base_/models/small.py',
    '_base_/schedules/retrain_small.py',
]
encoder_file = 'bdq_hard_ixmas_take3'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=dict(file=encoder_file),
        format_shape='NCTHW',
        frozen=True,
        **_base_.grey,
    ),
    **_base_.action_network,
)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
