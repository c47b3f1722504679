default_scope = 'mmaction'
custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)

# Only the last checkpoints are kept and the last one is used: choosing the best epoch by the test
# split would be tuning on it.
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=1, max_keep_ckpts=2, backend_args=dict(backend='atomic')
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    # Training that goes wrong (docs/reliability.md); here by name, so that a config or the command
    # line can turn one off: default_hooks.loss_guard.policy=off
    loss_guard=dict(type='LossGuard', policy='rollback'),
    threshold_guard=dict(type='ThresholdGuard', policy='warn'),
    dead_encoder_guard=dict(type='DeadEncoderGuard', policy='stop'),
    attacker_guard=dict(type='AttackerGuard', policy='warn'),
)
custom_hooks = [
    dict(type='SeedEpochHook'),
    dict(type='CheckLabelsHook'),
    dict(type='SaveEncoderHook'),
    dict(type='EncodedFramesHook', interval=5),
    dict(type='ProgressBarHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=600),
)
randomness = dict(seed=0)

log_processor = dict(type='LogProcessor', window_size=10, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False

# Weights of pre-trained networks: a URL or a local path by role. `pretrained=None` turns all off.
pretrained = dict()
