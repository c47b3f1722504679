# Stage 2 on your own videos with small networks: a fresh privacy network on the codes of an encoder
# of the zoo, or of bdq_own_cpu.py (encoder_file=work_dirs/bdq_own_cpu/encoder.json). It sees single
# frames; what a stronger attacker finds is the audit's business.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/own_small.py',
    '_base_/encoders/bdq_hard.py',
    '_base_/models/small.py',
    '_base_/schedules/retrain_small.py',
]
encoder_file = 'bdq_plugin/encoders/zoo/bdq_hard_ixmas_take3.json'
model = dict(
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
        **_base_.grey,
    ),
    **_base_.privacy_network,
    cls_head=dict(type='PrivacyHead', num_classes=None, in_channels=96),
)
val_evaluator = [_base_.privacy_metric]
test_evaluator = val_evaluator
# One frame of a clip an epoch, so it takes more of them.
max_epochs = 240
