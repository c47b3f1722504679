# Stage 2 on your own videos with small networks: a fresh action network on the codes of an encoder
# of the zoo, or of bdq_own_cpu.py (encoder_file=work_dirs/bdq_own_cpu/encoder.json). Its checkpoint
# is one for tools/recognize.py on .bdq files and live streams.
_base_ = ['_base_/stages/action_small.py', '_base_/datasets/own_small.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='bdq_hard_ixmas_take3')),
    cls_head=dict(num_classes=None),
)
# A folder of one's own is small: an epoch of it is a few steps.
train_cfg = dict(max_epochs=80)
