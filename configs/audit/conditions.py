# What a condition before the encoder (--data ixmas_shaking, ...) does to the person and to the
# action: hand-made features for both, two minutes of one core.
panel = dict(
    action=dict(type='TemplateAttacker', target='action'),
    template=dict(type='TemplateAttacker'),
)
controls = ('permuted',)
# See templates.py.
control_from = 0.75
