# The paper: SGD, momentum 0.9, weight decay 1e-5 (not on the encoder), cosine, 50 epochs, batch 16.
optimizer = dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-5)
# A fresh deep network on small clips sends the encoder gradients that would throw it off in a step;
# the bound is that of MMAction2's own recipes.
optim_wrapper = dict(
    constructor='PhaseOptimWrapperConstructor',
    action=dict(type='OptimWrapper', optimizer=optimizer, clip_grad=dict(max_norm=40)),
    privacy=dict(type='OptimWrapper', optimizer=optimizer),
)
# Without `end` and `T_max` a schedule is as long as the training.
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(
    type='AdversarialTrainLoop',
    max_epochs=50,
    val_begin=5,
    val_interval=5,
    phases=[dict(name='action', steps=1), dict(name='privacy', steps=1)],
)
# Each phase leaves the other's parameters without gradient.
find_unused_parameters = True
