"""An encoder that says nothing any more: collapsed thresholds, constant output."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from ..iteration_log import IterationLog
from ..loops import unwrap
from .base import Guard, anywhere

# Encoder output below this standard deviation is constant, in units of its input (pixels 0 to 1,
# or normalised ones): a hundredth of a grey level's.
_DEAD_STD = 4e-5
_STD = 'DeadEncoderGuard/std'


@HOOKS.register_module()
class ThresholdGuard(Guard):
    """Learned thresholds that have run together or to the ends: levels that nothing reaches.

    Looks before each epoch's checkpoint is written.

    Args:
        min_share: least share of the thresholds that must be distinct and within, 0 to 1.
        min_gap: least distance from the one below and from the ends of the range, in levels.
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
        apart = (values.diff() >= self.min_gap).tolist()
        useful, total = sum(apart[:-1]) - (not apart[-1]), thresholds.numel()
        if useful < self.min_share * total:
            self.react(runner, f'{max(useful, 0)} of {total} are distinct and within the range')


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
        self._looking = False
        self._log: IterationLog | None = None

    def before_train(self, runner: Runner) -> None:
        """Listen to the encoder: a pass of our own would draw dither and shift every later draw."""
        encoder = find_encoder(runner)
        if self.policy != 'off' and encoder is not None:
            self._log = IterationLog.of(runner)
            encoder.register_forward_hook(self._listen)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Look at one iteration in ``interval``."""
        self._looking = (runner.iter + 1) % self.interval == 0

    def _listen(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if self._looking:
            self._looking = False
            self._log.note(_STD, output.detach().flatten(1).float().std(1).max())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Count the looks in a row that found nothing but a constant."""
        rows = IterationLog.of(runner).rows(runner, batch_idx, outputs)
        looks = [row for row in rows if _STD in row.notes]
        alive = anywhere(not row.notes[_STD] < _DEAD_STD for row in looks)
        for row, lives in zip(looks, alive, strict=True):
            in_a_row = 0 if lives else self.recall(runner, 'looks', 0) + 1
            self.remember(runner, 'looks', in_a_row % self.patience)
            if in_a_row == self.patience:
                found = f'its output is constant in {self.patience} looks in a row'
                self.react(runner, found, row.iteration)


def find_encoder(runner: Runner) -> nn.Module | None:
    """The model's encoder, or None where it sees clear video."""
    return getattr(getattr(unwrap(runner.model), 'data_preprocessor', None), 'encoder', None)
