# The cheapest panel that finds people: hand-made features alone, about a minute of one core.
panel = dict(template=dict(type='TemplateAttacker'))
controls = ('permuted', 'border', 'length')
# An attacker is a witness of what an encoder hides only if it names this share of the test clips on
# clear video of the same fold.
control_from = 0.75
