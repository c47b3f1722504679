"""What an attacker is: it learns people from named clips, then answers for others.

A new attacker is a class under ``@ATTACKERS.register_module()`` with ``fit`` and ``answer``, and a
line in the panel's config::

    panel = dict(mine=dict(type='MyAttacker', strength=3), ...)

The network for the action is an attacker with ``target='action'``.

Names carry their dimensions: N clips, E encodings of a clip, K people (or actions, or attributes).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmengine.registry import Registry
from scipy.special import logsumexp

from ..clips import Clips

ATTACKERS = Registry('attacker', scope='bdq_plugin', locations=['bdq_plugin.evaluation'])

TARGETS = ('identity', 'action')


@dataclass(frozen=True)
class Fit:
    """How training went.

    Attributes:
        train_accuracy: share of the training clips that are told rightly, without augmentation
            (attributes: cMAP), in [0, 1].
        converged: whether the attacker has learned all that it can: the training clips are learned,
            or more training changes nothing.
        epochs: passes over the training clips; None for what has none.
        held_out: log-probabilities (N, K) of each training clip by a copy that was trained on the
            other units, where fitting made them anyway.
        notes: what a reader of the figures should know, such as the parameters that were chosen.
    """

    train_accuracy: float
    converged: bool
    epochs: int | None = None
    held_out: np.ndarray | None = None
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What an attacker says of clips.

    Attributes:
        log_probs: of each encoding by itself, (N, E, K): normalised over K for people and actions;
            for attributes log-odds of each.
        frame_hits: for each clip the share of its frames that are told rightly one by one, (N,);
            None for what does not look at single frames.
        extras: further figures, by name.
    """

    log_probs: np.ndarray
    frame_hits: np.ndarray | None = None
    extras: dict[str, float] = field(default_factory=dict)


class Attacker(ABC):
    """Base of all attackers.

    Args:
        num_outputs: K.
        target: what it is to recognise, ``'identity'`` or ``'action'``.
        multi_label: attributes, each of them there or not, instead of one of K.
        seed: of all that it draws.

    Attributes:
        cross_fits: whether fitting gives answers for held-out training clips anyway.
    """

    cross_fits = False

    def __init__(
        self,
        *,
        num_outputs: int,
        target: str = 'identity',
        multi_label: bool = False,
        seed: int = 0,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f"unknown target '{target}': choose one of {TARGETS}")
        if multi_label and target == 'action':
            raise ValueError('an action is one of K, not attributes')
        self.num_outputs, self.target = num_outputs, target
        self.multi_label, self.seed = multi_label, seed
        # Where networks are trained; the panel's builder sets it.
        self.device = 'cpu'

    @classmethod
    def missing(cls, config: dict[str, Any]) -> str | None:
        """Why an attacker of this config cannot take part here (a file that is not given), or None.

        It is then left out, and the result says so.
        """
        return None

    @abstractmethod
    def check(self, clips: Clips) -> None:
        """Raise ValueError where such clips cannot be read: before anything is trained."""

    @abstractmethod
    def fit(self, clips: Clips) -> Fit:
        """Learn from these clips and nothing else; called once."""

    @abstractmethod
    def answer(self, clips: Clips) -> Answer:
        """Answer for clips, those of training or others."""


def normalized(scores: np.ndarray) -> np.ndarray:
    """Scores to log-probabilities: along the last axis they sum to one."""
    return scores - logsumexp(scores, axis=-1, keepdims=True)
