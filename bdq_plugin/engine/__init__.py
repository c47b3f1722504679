"""Loop, optimisers and hooks of the game, registered in MMAction2's registries."""

from . import foreign_files
from .checkpoints import AtomicBackend
from .guards import (
    AttackerGuard,
    DeadEncoderGuard,
    LossGuard,
    ThresholdGuard,
    TrainingFault,
)
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
from .visual_hooks import EncodedFramesHook, ProgressBarHook
from .workdir import WorkDirInUse, claim_work_dir

__all__ = [
    'AdversarialTrainLoop',
    'AtomicBackend',
    'AttackerGuard',
    'CalibrateRangeHook',
    'CheckLabelsHook',
    'DeadEncoderGuard',
    'EncodedFramesHook',
    'HardnessAnnealingHook',
    'LossGuard',
    'PhaseOptimWrapperConstructor',
    'PretrainedBackboneHook',
    'ProgressBarHook',
    'RestartPrivacyHook',
    'SaveEncoderHook',
    'SeedEpochHook',
    'ThresholdGuard',
    'TrainingFault',
    'WorkDirInUse',
    'apply_switches',
    'claim_work_dir',
    'foreign_files',
]
