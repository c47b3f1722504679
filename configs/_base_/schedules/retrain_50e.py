# Fresh networks on the frozen encoder, the paper's recipe again: SGD, cosine, 50 epochs, batch 16.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-5)
)
# Without `end` and `T_max` a schedule is as long as the training.
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_begin=5, val_interval=5)
