"""NaN and Inf, before they reach the weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.runner import Runner
from torch.nn.utils import get_total_norm

from .base import Guard, anywhere, number
from .rollback import wrappers_of


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
