# The paper: sigma and 15 thresholds learned, soft with H = 5, range of each clip.
encoder = dict(preset='bdq')
