"""Loop, optimisers and hooks of the game, registered in MMAction2's registries."""

from .hooks import (
    CalibrateRangeHook,
    CheckLabelsHook,
    HardnessAnnealingHook,
    RestartPrivacyHook,
    SaveEncoderHook,
    SeedEpochHook,
)
from .loops import AdversarialTrainLoop
from .optim import PhaseOptimWrapperConstructor
from .pretrained import PretrainedBackboneHook
from .recipe import apply_switches

__all__ = [
    'AdversarialTrainLoop',
    'CalibrateRangeHook',
    'CheckLabelsHook',
    'HardnessAnnealingHook',
    'PhaseOptimWrapperConstructor',
    'PretrainedBackboneHook',
    'RestartPrivacyHook',
    'SaveEncoderHook',
    'SeedEpochHook',
    'apply_switches',
]
