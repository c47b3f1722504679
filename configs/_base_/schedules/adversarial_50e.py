# The paper: SGD, momentum 0.9, weight decay 1e-5 (not on the encoder), cosine, 50 epochs, batch 16.
max_epochs = 50
optimizer = dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-5)
# A fresh deep network on small clips sends the encoder gradients that would throw it off in a step;
# the bound is that of MMAction2's own recipes.
optim_wrapper = dict(
    constructor='PhaseOptimWrapperConstructor',
    action=dict(type='OptimWrapper', optimizer=optimizer, clip_grad=dict(max_norm=40)),
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
    val_begin=5,
    val_interval=5,
    phases=[dict(name='action', steps=1), dict(name='privacy', steps=1)],
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
