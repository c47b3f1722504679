# Stage 2 on your own videos with small networks: a fresh privacy network on the codes of an encoder
# of the zoo, or of bdq_own_cpu.py (encoder_file=work_dirs/bdq_own_cpu/encoder.json). It sees single
# frames; what a stronger attacker finds is the audit's business.
_base_ = ['_base_/stages/privacy_small.py', '_base_/datasets/own_small.py']
model = dict(
    data_preprocessor=dict(
        encoder=dict(preset='bdq_hard'),
        init_cfg=dict(checkpoint='bdq_plugin/encoders/zoo/bdq_hard_ixmas_take3.json'),
    ),
    cls_head=dict(num_classes=None),
)
# A folder of one's own is small, and an epoch shows one frame of each clip.
train_cfg = dict(max_epochs=240)
