# Attackers of coarse codes, such as 6 x 8: networks of few strides that see blocks as they are, so
# that training them to the end takes little, and hand-made features beside them. Clear video is
# averaged down to a quarter for the networks.
_net = dict(enlarge=False, scale=0.25)
_clip = dict(type='SmallConv3d', channels=(24, 48, 96), strides=((2, 1, 1), (2, 2, 2), (2, 1, 1)))
_frames = dict(type='SmallConv2d', channels=(32, 64, 96), strides=(1, 1, 2))
_recipe = dict(
    first_round=40, max_epochs=200, learned=0.98, lr=3e-3, weight_decay=0.05, max_shift=1
)

panel = dict(
    action=dict(
        type='ClipAttacker', target='action', backbone=_clip, stride=3, **_net, recipe=_recipe
    ),
    template=dict(type='TemplateAttacker'),
    cells=dict(type='CellAttacker'),
    frame=dict(
        type='FrameAttacker', backbone=_frames, **_net, recipe=dict(_recipe, weight_decay=0.1)
    ),
    clip=dict(type='ClipAttacker', backbone=_clip, stride=2, **_net, recipe=_recipe),
    recurrent=dict(type='RecurrentAttacker', backbone=_frames, **_net, recipe=_recipe),
)
controls = ('permuted', 'length', 'label', 'scores', 'features')
# See templates.py.
control_from = 0.75
