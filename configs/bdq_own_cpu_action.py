# Stage 2 on your own videos with small networks: a fresh action network on the codes of a zoo
# encoder. Its checkpoint is one for tools/recognize.py on .bdq files and live streams.
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
    **_base_.action_network,
)
# As many classes as the annotation has actions.
model['cls_head'] = dict(model['cls_head'], num_classes=None)
val_evaluator = [_base_.action_metric]
test_evaluator = val_evaluator
# A folder of one's own is small: more epochs than IXMAS needs.
max_epochs = 120
