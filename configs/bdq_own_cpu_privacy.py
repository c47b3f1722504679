# Stage 2 on your own videos with small networks: a fresh privacy network on the codes of an encoder
# of the zoo, or of bdq_own_cpu.py (encoder_file=work_dirs/bdq_own_cpu/encoder.json). It sees single
# frames; what a stronger attacker finds is the audit's business.
_base_ = ['_base_/stages/privacy_small.py', '_base_/datasets/own_small.py']
model = dict(
    data_preprocessor=dict(encoder=dict(file='bdq_hard_ixmas_take3')),
    cls_head=dict(num_classes=None),
)
# One frame of a clip an epoch, so it takes more of them.
train_cfg = dict(max_epochs=240)
