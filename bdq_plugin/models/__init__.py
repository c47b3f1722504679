"""Models, registered in MMAction2's MODELS registry."""

from mmaction.registry import MODELS

from ..encoders import ENCODERS
from .adversarial_recognizer import AdversarialRecognizer
from .data_preprocessor import BDQDataPreprocessor
from .encoder_source import build_encoder_from_cfg, load_encoder_checkpoint
from .frame_counts import explain_frame_counts
from .losses import EntropyLoss
from .privacy_head import PrivacyHead
from .privacy_recognizer import PrivacyRecognizer
from .small_networks import SmallConv2d, SmallConv3d

explain_frame_counts()
for _encoder in ENCODERS.values():
    if _encoder.__module__.startswith('bdq_plugin.'):  # others register themselves
        MODELS.register_module(module=_encoder)

__all__ = [
    'AdversarialRecognizer',
    'BDQDataPreprocessor',
    'EntropyLoss',
    'PrivacyHead',
    'PrivacyRecognizer',
    'SmallConv2d',
    'SmallConv3d',
    'build_encoder_from_cfg',
    'load_encoder_checkpoint',
]
