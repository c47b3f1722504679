# The one to deploy: whole levels with a straight-through gradient, in a fixed range.
encoder = dict(preset='bdq_hard')
