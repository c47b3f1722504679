default_scope = 'mmaction'
custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)

# What must not be lost stands here by name, for a config that sets custom_hooks replaces them all.
# Each can be told otherwise, as in default_hooks.loss_guard.policy=off. Only the last checkpoints
# are kept and the last one is used: choosing the best by the test split would be tuning on it.
default_hooks = dict(
    runtime_info=dict(type='DeferredInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=1, max_keep_ckpts=2, backend_args=dict(backend='atomic')
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    resume_schedule=dict(type='ResumeScheduleHook'),
    seed_epoch=dict(type='SeedEpochHook'),
    check_switches=dict(type='CheckSwitchesHook'),
    check_labels=dict(type='CheckLabelsHook'),
    # Training that goes wrong (docs/reliability.md).
    loss_guard=dict(type='LossGuard', policy='rollback'),
    threshold_guard=dict(type='ThresholdGuard', policy='warn'),
    dead_encoder_guard=dict(type='DeadEncoderGuard', policy='stop'),
    attacker_guard=dict(type='AttackerGuard', policy='warn'),
    save_encoder=dict(type='SaveEncoderHook'),
    encoded_frames=dict(type='EncodedFramesHook', interval=5),
    progress_bar=dict(type='ProgressBarHook'),
)
# For what a config adds: [*_base_.custom_hooks, dict(type=...)].
custom_hooks = []

val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
action_metric = dict(
    type='AccMetric', prefix='action', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)
privacy_metric = dict(type='PrivacyAccMetric', prefix='privacy')

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=600),
)
randomness = dict(seed=0)
# Off; --auto-scale-lr turns it on.
auto_scale_lr = dict(enable=False, base_batch_size=16)

log_processor = dict(type='LogProcessor', window_size=10, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
