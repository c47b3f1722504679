# Stage 2 on IPN Hand: a fresh action network on the frozen encoder of bdq_ipn.py.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/datasets/ipn.py',
    '_base_/encoders/bdq.py',
    '_base_/models/i3d_r50.py',
    '_base_/schedules/retrain_50e.py',
]
encoder_file = 'work_dirs/bdq_ipn/encoder.json'
model = dict(
    _base_.action_network,
    data_preprocessor=dict(
        type='BDQDataPreprocessor',
        encoder=_base_.encoder,
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=encoder_file),
    ),
    cls_head=dict(_base_.action_network['cls_head'], num_classes=13),
)
pretrained = dict(action=_base_.action_weights)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
