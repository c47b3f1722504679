# Stage 2 for a camera: a fresh action network on the codes of consecutive frames, from a hard
# encoder of the zoo. Its checkpoint is one for tools/recognize.py on .bdq files and live streams.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/ixmas_small_stream.py']
model = dict(
    data_preprocessor=dict(
        encoder=dict(file='bdq_hard_ixmas_take3'),
    )
)
