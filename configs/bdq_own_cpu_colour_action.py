# bdq_own_cpu_action.py in colour and at 112 x 84 pixels: networks of three channels.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/own_small_colour.py',
    '_base_/encoders/bdq_hard.py',
    '_base_/models/small.py',
    '_base_/schedules/retrain_small.py',
]
encoder_file = 'bdq_plugin/encoders/zoo/bdq_hard_ixmas_take3.json'
model = dict(
    _base_.action_network,
    backbone=dict(type='SmallConv3d', in_channels=3),
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
    ),
    cls_head=dict(_base_.action_network['cls_head'], num_classes=None),
)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
max_epochs = 80
