# Soft at first, a staircase in the end: H rises over training by itself.
encoder = dict(preset='bdq_annealed')
