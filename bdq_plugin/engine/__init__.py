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
    CheckSwitchesHook,
    HardnessAnnealingHook,
    RestartPrivacyHook,
    SaveEncoderHook,
    SeedEpochHook,
)
from .iteration_log import DeferredInfoHook, IterationLog
from .loops import AdversarialTrainLoop
from .optim import PhaseOptimWrapperConstructor
from .pretrained import PretrainedBackboneHook
from .recipe import apply_switches
from .resumption import ResumeScheduleHook
from .visual_hooks import EncodedFramesHook, ProgressBarHook
from .workdir import WorkDirInUse, claim_work_dir

__all__ = [
    'AdversarialTrainLoop',
    'AtomicBackend',
    'AttackerGuard',
    'CalibrateRangeHook',
    'CheckLabelsHook',
    'CheckSwitchesHook',
    'DeadEncoderGuard',
    'DeferredInfoHook',
    'EncodedFramesHook',
    'HardnessAnnealingHook',
    'IterationLog',
    'LossGuard',
    'PhaseOptimWrapperConstructor',
    'PretrainedBackboneHook',
    'ProgressBarHook',
    'RestartPrivacyHook',
    'ResumeScheduleHook',
    'SaveEncoderHook',
    'SeedEpochHook',
    'ThresholdGuard',
    'TrainingFault',
    'WorkDirInUse',
    'apply_switches',
    'claim_work_dir',
    'foreign_files',
]
