"""An attacker from whom nothing need be hidden, for it does not learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.runner import Runner
from torch.special import entr

from ..hooks import innermost
from ..iteration_log import IterationLog
from ..loops import unwrap
from .base import Guard

_LOSSES = ('loss_subject', 'loss_attributes')


@HOOKS.register_module()
class AttackerGuard(Guard):
    """A privacy network that has done better than chance in none of the first epochs.

    An encoder that hides people from an attacker who cannot learn hides nothing. An attacker that
    was better than chance once and is fooled later is what the game wants, and is no fault.

    Args:
        patience: epochs that it is given; it is judged once, after them.
        margin: how far below :func:`loss_of_chance` its loss must have been in some epoch, as a
            share.
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
        if self.policy == 'off':
            return
        for row in IterationLog.of(runner).rows(runner, batch_idx, outputs):
            losses = row.outputs.items()
            self._losses += [v for k, v in losses if k.split('/')[-1] in _LOSSES]

    def after_train_epoch(self, runner: Runner) -> None:
        """Compare its best epoch so far with chance."""
        if not self._losses:
            plays = self.policy != 'off' and hasattr(unwrap(runner.model), 'privacy')
            if plays and runner.epoch == 0:
                runner.logger.warning(
                    f'AttackerGuard judges by {" or ".join(_LOSSES)}, which the privacy networks '
                    'do not give: nobody sees whether they learn'
                )
            return
        mean = torch.tensor(sum(self._losses) / len(self._losses), dtype=torch.float64)
        all_reduce(mean, 'mean')
        best = min(self.recall(runner, 'best', math.inf), mean.item())
        self.remember(runner, 'best', best)
        if runner.epoch + 1 != self.patience:
            return
        chance = loss_of_chance(runner)
        if not best < (1 - self.margin) * chance:
            self.react(
                runner,
                f'its best mean loss of an epoch is {best:.3f}, that of chance {chance:.3f}',
            )


def loss_of_chance(runner: Runner) -> float:
    """The loss of an attacker who sees nothing, in nats.

    Of people, who are taken to be equally frequent, ``log(people)``; of attributes, the entropy of
    how frequent each of them is in the training set, where that says it, else ``log(2)``.
    """
    model = unwrap(runner.model)
    head = (model.privacy[0] if hasattr(model, 'privacy') else model).cls_head
    if not getattr(head, 'attributes', False):
        return math.log(head.num_classes)
    dataset = innermost(runner.train_dataloader.dataset)
    items = (dataset.get_data_info(index) for index in range(len(dataset)))
    labels = [item.get('attributes') for item in items]
    if any(label is None for label in labels):
        return math.log(2)
    rates = torch.from_numpy(np.mean(labels, axis=0))
    return (entr(rates) + entr(1 - rates)).mean().item()
