"""Hooks that notice training which goes wrong, name it, and do what their policy says.

============================ =============================================== =====================
hook                         fault                                           policies
============================ =============================================== =====================
:class:`LossGuard`           NaN or Inf in a loss or a gradient              stop, skip, rollback
:class:`ThresholdGuard`      thresholds that have run together               stop, warn, rollback
:class:`DeadEncoderGuard`    constant output of the encoder                  stop, warn, rollback
:class:`AttackerGuard`       privacy network that never beats chance         stop, warn
============================ =============================================== =====================

Guards look where the log is read (:mod:`bdq_plugin.engine.iteration_log`), so that no iteration
waits for them; ``skip`` alone must look at every step.

``stop`` raises :class:`TrainingFault`; ``warn`` writes it to the log; ``skip`` leaves the step out;
``rollback`` puts networks and optimisers back to the run's last checkpoint that is finite, and goes
on with the next batch; ``off`` turns the guard off. Every recipe has all of them,
by name in ``default_hooks`` (``--cfg-options default_hooks.loss_guard.policy=off``). A guard draws
no random number and changes nothing until its fault is there: a healthy run is bit for bit the same
with it and without.
"""

from .attacker import AttackerGuard
from .base import Guard, TrainingFault
from .encoder import DeadEncoderGuard, ThresholdGuard
from .loss import LossGuard
from .rollback import is_finite, roll_back

__all__ = [
    'AttackerGuard',
    'DeadEncoderGuard',
    'Guard',
    'LossGuard',
    'ThresholdGuard',
    'TrainingFault',
    'is_finite',
    'roll_back',
]
