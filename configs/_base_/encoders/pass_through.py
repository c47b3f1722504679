# Clear video: the baseline without an encoder.
encoder = dict(preset='pass_through')
