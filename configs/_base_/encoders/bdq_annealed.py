# Soft at first, a staircase in the end: HardnessAnnealingHook raises H over training.
encoder = dict(preset='bdq_annealed')
