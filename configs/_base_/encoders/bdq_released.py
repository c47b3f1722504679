# The released code: sigma 3 frozen, zero padding after mean and std, range of the whole batch.
encoder = dict(preset='bdq_released')
