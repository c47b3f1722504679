# Attackers of coarse codes, in a few minutes of one core. With `--data ixmas_moved` they learn from
# clips that were moved before they were encoded, too.
panel = dict(cells=dict(type='CellAttacker'))
controls = ('permuted',)
control_from = 0.75
