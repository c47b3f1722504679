"""Models, registered in MMAction2's MODELS registry."""

from mmaction.registry import MODELS

from ..encoders.presets import CLASSES
from .adversarial_recognizer import AdversarialRecognizer
from .data_preprocessor import BDQDataPreprocessor, build_encoder_from_cfg, load_encoder_checkpoint
from .frame_counts import explain_frame_counts
from .losses import EntropyLoss
from .privacy_head import PrivacyHead
from .privacy_recognizer import PrivacyRecognizer
from .small_networks import SmallConv2d, SmallConv3d

explain_frame_counts()
for _encoder in CLASSES.values():
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
