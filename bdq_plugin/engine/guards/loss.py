"""NaN and Inf: undone before a checkpoint holds them, or never taken."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.runner import Runner
from torch.nn.utils import get_total_norm

from ..iteration_log import IterationLog, Row
from ..optim import wrappers_of
from .base import Guard, anywhere

_GRADIENT = 'LossGuard/gradient'


@HOOKS.register_module()
class LossGuard(Guard):
    """NaN or Inf in a loss or a gradient.

    It looks where the log is read, so that no iteration waits for it, and always before a
    checkpoint is written: ``'rollback'`` then undoes the spoiled step and those after it.
    ``'skip'`` has the host wait for the gradient of every step, and the spoiled one is never taken.
    With mixed precision, steps that overflow are left out by the gradient scaler itself.

    Args:
        policy, max_times: see :class:`Guard`.
    """

    FAULT = 'NaN or Inf in a loss'
    ADVICE = 'Lower the learning rate, clip the gradient, or look at the batch.'
    POLICIES = ('stop', 'skip', 'rollback')

    def __init__(self, policy: str = 'rollback', max_times: int = 3) -> None:
        super().__init__(policy, max_times)
        self._log: IterationLog | None = None

    def before_train(self, runner: Runner) -> None:
        """Stand before every optimiser."""
        if self.policy == 'off':
            return
        self._log = IterationLog.of(runner)
        for wrapper in wrappers_of(runner.optim_wrapper):
            wrapper.optimizer.register_step_pre_hook(self._inspect)

    def _inspect(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group['params']]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        # Processes agree without a word: they have reduced these gradients.
        norm = get_total_norm(gradients)
        self._log.note(_GRADIENT, norm)
        if self.policy == 'skip' and not norm.isfinite():
            for parameter in parameters:
                parameter.grad = None  # an optimiser passes these over

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of every phase and at the gradients of every step."""
        if self.policy == 'off':
            return
        rows = IterationLog.of(runner).rows(runner, batch_idx, outputs)
        faults = [_fault_of(row) for row in rows]
        for row, here, found in zip(rows, faults, anywhere(map(bool, faults)), strict=True):
            if found:
                self.react(runner, here or 'in another process', row.iteration)
                if self.policy != 'skip':
                    return  # what comes after it has come from it


def _fault_of(row: Row) -> str:
    """What is NaN or Inf in an iteration, or nothing."""
    losses = {key: value for key, value in row.outputs.items() if 'loss' in key.split('/')[-1]}
    bad = [f'{key} = {value}' for key, value in losses.items() if not math.isfinite(value)]
    spoiled = not math.isfinite(row.notes.get(_GRADIENT, 0.0))
    return ', '.join(bad) or ('a gradient' if spoiled else '')
