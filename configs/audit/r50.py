# The quick panel with the paper's networks, for a GPU: I3D ResNet-50 and ResNet-50. It goes with
# --data ixmas_224. Weights by local path: --cfg-options panel.frame.backbone.pretrained=PATH ...
_clip = dict(
    type='ResNet3d',
    pretrained=None,
    pretrained2d=False,
    depth=50,
    conv1_kernel=(5, 7, 7),
    conv1_stride_t=2,
    pool1_stride_t=2,
    conv_cfg=dict(type='Conv3d'),
    norm_eval=False,
    inflate=((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)),
    zero_init_residual=False,
)
_frames = dict(type='ResNet', depth=50, pretrained=None, norm_eval=False)

panel = dict(
    action=dict(
        type='ClipAttacker',
        target='action',
        backbone=_clip,
        recipe=dict(epochs=60, lr=3e-4, max_shift=16),
    ),
    frame=dict(
        type='FrameAttacker', backbone=_frames, recipe=dict(epochs=150, lr=3e-4, max_shift=16)
    ),
    clip=dict(type='ClipAttacker', backbone=_clip, recipe=dict(epochs=60, lr=3e-4, max_shift=16)),
    recurrent=dict(
        type='RecurrentAttacker',
        backbone=_frames,
        start_from='frame',
        num_frames=6,
        recipe=dict(epochs=12, lr=1e-4, max_shift=16),
    ),
)
learned_from = 0.75
