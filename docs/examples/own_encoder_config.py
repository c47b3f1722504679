# Small networks on the codes of own_encoder.py, which has nothing to learn, so that alpha is 0:
# PYTHONPATH=docs/examples python tools/train.py docs/examples/own_encoder_config.py
_base_ = ['../../configs/bdq_own_cpu.py']
custom_imports = dict(imports=['bdq_plugin', 'own_encoder'], allow_failed_imports=False)
model = dict(
    alpha=0.0,
    data_preprocessor=dict(encoder=dict(_delete_=True, type='EventEncoder', threshold=0.04)),
)
