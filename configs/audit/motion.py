# Attackers that see how people move rather than how they look: for coarse codes, which leave little
# else. Rounds are shorter than the full panel's, so that a cell takes minutes.
_recipe = dict(first_round=40, max_epochs=120, learned=0.98, lr=3e-3, weight_decay=0.05)

panel = dict(
    template=dict(type='TemplateAttacker'),
    clip=dict(
        type='ClipAttacker',
        backbone=dict(type='SmallConv3d'),
        stride=2,
        scale=0.5,
        recipe=dict(_recipe, max_shift=2),
    ),
)
controls = ('permuted',)
control_from = 0.75
