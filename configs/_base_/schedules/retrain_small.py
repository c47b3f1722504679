# Fresh small networks on the frozen encoder.
max_epochs = 40
optimizer = dict(type='AdamW', lr=2e-3, weight_decay=0.01)
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
    val_begin=10,
    val_interval=10,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
action_metric = dict(
    type='AccMetric', prefix='action', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)
privacy_metric = dict(type='PrivacyAccMetric', prefix='privacy')
auto_scale_lr = dict(enable=False, base_batch_size=16)
