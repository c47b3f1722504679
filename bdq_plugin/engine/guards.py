"""Hooks that notice training which goes wrong, name it, and do what their policy says.

============================ =============================================== =====================
hook                         fault                                           policies
============================ =============================================== =====================
:class:`LossGuard`           NaN or Inf in a loss or a gradient              stop, skip, rollback
:class:`ThresholdGuard`      thresholds that have run together               stop, warn, rollback
:class:`DeadEncoderGuard`    constant output of the encoder                  stop, warn, rollback
:class:`AttackerGuard`       privacy network that never beats chance         stop, warn
:class:`AlphaGuard`          alpha or entropy out of all bounds              stop, warn
============================ =============================================== =====================

``stop`` raises :class:`TrainingFault`; ``warn`` writes it to the log; ``skip`` leaves the step out;
``rollback`` puts networks and optimisers back to the run's last checkpoint that is whole and
finite, and goes on with the next batch; ``off`` turns the guard off. Every recipe has all of them,
by name in ``default_hooks`` (``--cfg-options default_hooks.loss_guard.policy=off``). A guard draws
no random number and changes nothing until its fault is there: a healthy run is bit for bit the same
with it and without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from .checkpoints import checkpoints_of, damage_of, step_of
from .loops import unwrap

# Encoder output below this standard deviation is constant, in units of its input (pixels 0 to 1,
# or normalised ones): a hundredth of a grey level's.
_DEAD_STD = 4e-5


class TrainingFault(RuntimeError):
    """Training has gone wrong; the message says how, where, and what to try."""


class Guard(Hook):
    """Base of the guards.

    Args:
        policy: what to do about the fault, one of the class's ``POLICIES`` or ``'off'``.
        max_times: how often ``skip`` or ``rollback`` may come to the rescue before the run stops.
    """

    FAULT: ClassVar[str]
    ADVICE: ClassVar[str]
    POLICIES: ClassVar[tuple[str, ...]]

    def __init__(self, policy: str, max_times: int = 3) -> None:
        allowed = (*self.POLICIES, 'off')
        if policy not in allowed:
            raise ValueError(
                f'{type(self).__name__}: policy is one of {", ".join(allowed)}, got {policy!r}'
            )
        if max_times < 1:
            raise ValueError(f'{type(self).__name__}: max_times must be 1 or more, got {max_times}')
        self.policy, self.max_times = policy, max_times

    def react(self, runner: Runner, details: str) -> None:
        """Do what the policy says about the fault."""
        message = (
            f'{self.FAULT} at epoch {runner.epoch + 1}, iteration {runner.iter + 1}: {details}.'
        )
        if self.policy == 'stop':
            raise TrainingFault(f'{message} {self.ADVICE}')
        if self.policy == 'warn':
            runner.logger.warning(f'{message} {self.ADVICE}')
            return
        times = self.recall(runner, 'times', 0) + 1
        if times > self.max_times:
            raise TrainingFault(
                f'{message} {self.policy} has been tried {self.max_times} times. {self.ADVICE}'
            )
        self.remember(runner, 'times', times)
        if self.policy == 'rollback':
            path = roll_back(runner)
            if path is None:
                raise TrainingFault(f'{message} No good checkpoint to go back to. {self.ADVICE}')
            message += f' Went back to {path}'
        elif not is_finite(unwrap(runner.model).state_dict().values()):
            # The forward pass alone moves BatchNorm's statistics.
            raise TrainingFault(f'{message} The weights hold it too: {self.ADVICE}')
        else:
            message += ' Left this step out'
        runner.logger.warning(f'{message} ({times} of at most {self.max_times} times)')

    # What a guard remembers is in the checkpoint: a resumed run decides as a whole one would.
    def remember(self, runner: Runner, name: str, value: float) -> None:
        runner.message_hub.update_info(f'{type(self).__name__}/{name}', value)

    def recall(self, runner: Runner, name: str, default: float) -> float:
        return runner.message_hub.get_info(f'{type(self).__name__}/{name}', default)


@HOOKS.register_module()
class LossGuard(Guard):
    """NaN or Inf in a loss or a gradient; the step that it would have spoiled is never taken.

    With mixed precision, steps that overflow are left out by the gradient scaler itself.

    Args:
        policy, max_times: see :class:`Guard`.
    """

    FAULT = 'NaN or Inf in a loss'
    ADVICE = 'Lower the learning rate, clip the gradient, or look at the batch.'
    POLICIES = ('stop', 'skip', 'rollback')

    def __init__(self, policy: str = 'rollback', max_times: int = 3) -> None:
        super().__init__(policy, max_times)
        self._spoiled = False

    def before_train(self, runner: Runner) -> None:
        """Stand before every optimiser."""
        if self.policy == 'off':
            return
        for wrapper in wrappers_of(runner):
            wrapper.optimizer.register_step_pre_hook(self._inspect)

    def _inspect(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group['params']]
        gradients = [p.grad for p in parameters if p.grad is not None]
        # Processes agree without a word: they have reduced these gradients.
        if gradients and not get_total_norm(gradients).isfinite():
            self._spoiled = True
            for parameter in parameters:
                parameter.grad = None  # an optimiser passes these over

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of every phase and at what :meth:`_inspect` has seen."""
        if self.policy == 'off':
            return
        losses = {k: number(v) for k, v in (outputs or {}).items() if 'loss' in k.split('/')[-1]}
        bad = [f'{key} = {value}' for key, value in losses.items() if not math.isfinite(value)]
        spoiled, self._spoiled = self._spoiled, False
        if anywhere(bool(bad) or spoiled):
            here = ', '.join(bad) or ('a gradient' if spoiled else 'in another process')
            self.react(runner, here)


@HOOKS.register_module()
class ThresholdGuard(Guard):
    """Learned thresholds that have run together or out of range: levels that nothing reaches.

    Looks before each epoch's checkpoint is written.

    Args:
        min_share: least share of the thresholds that must be distinct and in range, 0 to 1.
        min_gap: least distance from the one below and from the ends, in levels.
        policy, max_times: see :class:`Guard`.
    """

    FAULT = 'Collapsed thresholds'
    ADVICE = 'Lower the learning rate of the encoder or alpha.'
    POLICIES = ('stop', 'warn', 'rollback')

    def __init__(
        self,
        min_share: float = 0.5,
        min_gap: float = 0.01,
        policy: str = 'warn',
        max_times: int = 3,
    ) -> None:
        super().__init__(policy, max_times)
        if not 0 <= min_share <= 1 or min_gap <= 0:
            raise ValueError(
                'ThresholdGuard: min_share is 0 to 1 and min_gap above 0, got '
                f'{min_share} and {min_gap}'
            )
        self.min_share, self.min_gap = min_share, min_gap

    def after_train_epoch(self, runner: Runner) -> None:
        """Count the thresholds that still divide something."""
        quantizer = getattr(find_encoder(runner), 'quantize', None)
        thresholds = getattr(quantizer, 'thresholds', None)
        if self.policy == 'off' or not isinstance(thresholds, nn.Parameter):
            return
        # Each with the one below it; the range's ends stand in for the outermost ones' neighbours.
        ends = thresholds.new_tensor([0.0, quantizer.num_levels - 1.0])
        values = torch.cat([ends[:1], thresholds.detach(), ends[1:]])
        apart = values.diff() >= self.min_gap
        useful, total = int(apart[:-1].sum()) - int(not apart[-1]), thresholds.numel()
        if useful < self.min_share * total:
            self.react(runner, f'{max(useful, 0)} of {total} are distinct and in range')


@HOOKS.register_module()
class DeadEncoderGuard(Guard):
    """An encoder whose output is constant over every clip of a batch: nothing is left to learn.

    Args:
        interval: iterations between looks.
        patience: looks in a row that must find it dead; a single batch may show people who rest.
        policy, max_times: see :class:`Guard`.
    """

    FAULT = 'Dead encoder'
    ADVICE = 'Calibrate its range (CalibrateRangeHook), or lower alpha.'
    POLICIES = ('stop', 'warn', 'rollback')

    def __init__(
        self, interval: int = 20, patience: int = 3, policy: str = 'stop', max_times: int = 3
    ) -> None:
        super().__init__(policy, max_times)
        if interval < 1 or patience < 1:
            raise ValueError(
                'DeadEncoderGuard: interval and patience must be 1 or more, got '
                f'{interval} and {patience}'
            )
        self.interval, self.patience = interval, patience
        self._looking, self._std = False, math.inf

    def before_train(self, runner: Runner) -> None:
        """Listen to the encoder: a pass of our own would draw dither and shift every later draw."""
        encoder = find_encoder(runner)
        if self.policy != 'off' and encoder is not None:
            encoder.register_forward_hook(self._listen)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Look at one iteration in ``interval``."""
        self._looking, self._std = (runner.iter + 1) % self.interval == 0, math.inf

    def _listen(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if self._looking:
            self._looking = False
            self._std = float(output.detach().flatten(1).float().std(1).max())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Count the looks in a row that found nothing but a constant."""
        if self.policy == 'off' or (runner.iter + 1) % self.interval:
            return
        alive = anywhere(not self._std < _DEAD_STD)
        looks = 0 if alive else self.recall(runner, 'looks', 0) + 1
        if looks >= self.patience:
            looks = 0
            self.react(runner, f'its output is constant in {self.patience} looks in a row')
        self.remember(runner, 'looks', looks)


@HOOKS.register_module()
class AttackerGuard(Guard):
    """A privacy network that has done better than chance in none of the first epochs.

    An encoder that hides people from an attacker who cannot learn hides nothing. An attacker that
    was better than chance once and is fooled later is what the game wants, and is no fault.

    Args:
        patience: epochs that it is given; it is judged once, after them.
        margin: how far below ``log(people)`` its loss must have been in some epoch, as a share.
        policy: see :class:`Guard`.
    """

    FAULT = 'Attacker that does not learn'
    ADVICE = (
        'Its entropy says nothing about privacy: raise its learning rate or its steps, or see '
        'whether a fresh attacker learns (tools/audit.py).'
    )
    POLICIES = ('stop', 'warn')

    def __init__(self, patience: int = 5, margin: float = 0.02, policy: str = 'warn') -> None:
        super().__init__(policy)
        if patience < 1 or not 0 <= margin < 1:
            raise ValueError(
                'AttackerGuard: patience is 1 or more epochs and margin 0 to 1, got '
                f'{patience} and {margin}'
            )
        self.patience, self.margin = patience, margin
        self._losses: list[float] = []

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin an epoch's mean."""
        self._losses = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Collect the attacker's own loss."""
        if self.policy != 'off':
            losses = (outputs or {}).items()
            self._losses += [number(v) for k, v in losses if k.split('/')[-1] == 'loss_subject']

    def after_train_epoch(self, runner: Runner) -> None:
        """Compare its best epoch so far with chance."""
        if not self._losses:
            return
        mean = torch.tensor(sum(self._losses) / len(self._losses), dtype=torch.float64)
        all_reduce(mean, 'mean')
        best = min(self.recall(runner, 'best', math.inf), mean.item())
        self.remember(runner, 'best', best)
        chance = math.log(num_subjects(runner))
        if runner.epoch + 1 == self.patience and not best < (1 - self.margin) * chance:
            self.react(
                runner,
                f'its best mean loss of an epoch is {best:.3f}, that of chance {chance:.3f}',
            )


@HOOKS.register_module()
class AlphaGuard(Guard):
    """An alpha that grows out of bounds, or an entropy that no distribution can have.

    Args:
        max_alpha: largest weight of the entropy that still makes sense.
        policy: see :class:`Guard`.
    """

    FAULT = 'Exploding alpha or entropy'
    ADVICE = 'Look at what sets model.alpha, and at the logits of the privacy network.'
    POLICIES = ('stop', 'warn')

    def __init__(self, max_alpha: float = 100.0, policy: str = 'stop') -> None:
        super().__init__(policy)
        if not max_alpha > 0:
            raise ValueError(f'AlphaGuard: max_alpha must be above 0, got {max_alpha}')
        self.max_alpha = max_alpha

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Check both against their bounds."""
        alpha = getattr(unwrap(runner.model), 'alpha', None)
        if self.policy == 'off' or alpha is None:
            return
        bound = math.log(num_subjects(runner))
        bad = [] if 0 <= float(alpha) <= self.max_alpha else [f'alpha = {float(alpha):g}']
        for key, value in (outputs or {}).items():
            # NaN is the LossGuard's: this one is about size.
            if key.split('/')[-1] == 'privacy_entropy' and not math.isnan(number(value)):
                inside = -1e-3 <= number(value) <= bound + 1e-3
                bad += [] if inside else [f'{key} = {number(value):g} of at most {bound:.3f}']
        if anywhere(bool(bad)):
            self.react(runner, ', '.join(bad) or 'in another process')


# ---------------------------------------------------------------------- what the guards stand on
def number(value: Tensor | float) -> float:
    """A logged value."""
    return value.item() if isinstance(value, Tensor) else float(value)


def anywhere(flag: bool) -> bool:
    """Whether the flag is set in any process, so that all of them do the same."""
    if get_world_size() == 1:
        return flag
    found = torch.tensor(int(flag))
    all_reduce(found, 'max')
    return bool(found)


def is_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds NaN or Inf."""
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def wrappers_of(runner: Runner) -> list[OptimWrapper]:
    """Every optimiser of a run, of one phase or of several."""
    wrapper = runner.optim_wrapper
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def groups_of(runner: Runner) -> list[dict[str, Any]]:
    """Every group of parameters that has a learning rate of its own."""
    return [group for wrapper in wrappers_of(runner) for group in wrapper.param_groups]


def find_encoder(runner: Runner) -> nn.Module | None:
    """The model's encoder, or None where it sees clear video."""
    return getattr(getattr(unwrap(runner.model), 'data_preprocessor', None), 'encoder', None)


def num_subjects(runner: Runner) -> int:
    """The people whom the attacker tells apart, in the game or in a stage-2 run."""
    model = unwrap(runner.model)
    attacker = model.privacy[0] if hasattr(model, 'privacy') else model
    return attacker.cls_head.num_classes


def roll_back(runner: Runner) -> Path | None:
    """Put networks and optimisers back to the run's last checkpoint that is whole and finite.

    Counters, schedules and random numbers go on: the same batches in the same order would only lead
    to the same fault.

    Returns:
        The checkpoint, or None where there is none.
    """
    # What the run itself has written: the folder may hold an older run's, too.
    last = step_of(runner.message_hub.get_info('last_ckpt') or '')
    for path in checkpoints_of(runner.work_dir) if last is not None else ():
        if step_of(path) > last or damage_of(path) is not None:
            continue
        # Of this run's own work directory, so its pickle may be read.
        checkpoint = torch.load(path, map_location='cpu', weights_only=False)
        if not is_finite(checkpoint['state_dict'].values()):
            continue
        unwrap(runner.model).load_state_dict(checkpoint['state_dict'])
        if 'optimizer' in checkpoint:
            # MMEngine's schedules go on from the rate that they find.
            rates = [group['lr'] for group in groups_of(runner)]
            runner.optim_wrapper.load_state_dict(checkpoint['optimizer'])
            for group, rate in zip(groups_of(runner), rates, strict=True):
                group['lr'] = rate
        return path
    return None
