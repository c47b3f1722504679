# Small networks learn with AdamW in fewer epochs. A privacy step sees one frame of a clip, so it
# takes four steps to each action step.
optimizer = dict(type='AdamW', lr=2e-3, weight_decay=0.01)
optim_wrapper = dict(
    constructor='PhaseOptimWrapperConstructor',
    action=dict(type='OptimWrapper', optimizer=optimizer),
    privacy=dict(type='OptimWrapper', optimizer=optimizer),
)
# Without `end` and `T_max` a schedule is as long as the training.
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(
    type='AdversarialTrainLoop',
    max_epochs=30,
    val_begin=10,
    val_interval=10,
    phases=[dict(name='action', steps=1), dict(name='privacy', steps=4)],
)
# Each phase leaves the other's parameters without gradient.
find_unused_parameters = True
