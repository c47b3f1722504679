# Fresh networks on the frozen encoder, the paper's recipe again: SGD, cosine, 50 epochs, batch 16.
max_epochs = 50
optimizer = dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-5)
optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer)
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
    type='EpochBasedTrainLoop',
    max_epochs=max_epochs,
    val_begin=5,
    val_interval=5,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
action_metric = dict(
    type='AccMetric', prefix='action', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)
privacy_metric = dict(type='PrivacyAccMetric', prefix='privacy')
auto_scale_lr = dict(enable=False, base_batch_size=16)
