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

_recipe = dict(max_epochs=450, lr=3e-4, max_shift=16)

panel = dict(
    action=dict(type='ClipAttacker', target='action', backbone=_clip, recipe=_recipe),
    frame=dict(type='FrameAttacker', backbone=_frames, frames_per_step=4, recipe=_recipe),
    clip=dict(type='ClipAttacker', backbone=_clip, recipe=_recipe),
    recurrent=dict(type='RecurrentAttacker', backbone=_frames, num_frames=6, recipe=_recipe),
)
