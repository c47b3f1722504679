# The quick panel: what tells most in a few minutes for one encoder, fold and seed on two CPU cores.
_frames = dict(type='SmallConv2d')
_clip = dict(type='SmallConv3d')
# Half resolution takes a quarter of the time; a shift of one pixel there is one of two.
_recipe = dict(max_epochs=210, max_shift=1)

panel = dict(
    # Every third frame: a window then holds most of an action.
    action=dict(
        type='ClipAttacker', target='action', backbone=_clip, stride=3, scale=0.5, recipe=_recipe
    ),
    template=dict(type='TemplateAttacker'),
    # Chosen within the training takes of clear video and of bdq_hard.
    frame=dict(
        type='FrameAttacker',
        backbone=_frames,
        scale=0.5,
        recipe=dict(
            first_round=40, max_epochs=120, learned=0.98, lr=3e-3, weight_decay=0.1, max_shift=2
        ),
    ),
)
controls = ('permuted', 'border', 'length', 'label', 'scores', 'features')
# An attacker is a witness of what an encoder hides only if it names this share of the test clips on
# clear video of the same fold.
control_from = 0.75
