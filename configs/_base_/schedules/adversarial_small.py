# Small networks learn with AdamW in fewer epochs. A privacy step sees one frame of a clip, so it
# takes four steps to each action step.
max_epochs = 30
optimizer = dict(type='AdamW', lr=2e-3, weight_decay=0.01)
optim_wrapper = dict(
    constructor='PhaseOptimWrapperConstructor',
    action=dict(type='OptimWrapper', optimizer=optimizer),
    privacy=dict(type='OptimWrapper', optimizer=optimizer),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        T_max=max_epochs,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(
    type='AdversarialTrainLoop',
    max_epochs=max_epochs,
    val_begin=10,
    val_interval=10,
    phases=[dict(name='action', steps=1), dict(name='privacy', steps=4)],
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
action_metric = dict(
    type='AccMetric', prefix='action', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)
privacy_metric = dict(type='PrivacyAccMetric', prefix='privacy')
val_evaluator = [action_metric, privacy_metric]
test_evaluator = val_evaluator
# Each phase leaves the other's parameters without gradient.
find_unused_parameters = True
auto_scale_lr = dict(enable=False, base_batch_size=16)
