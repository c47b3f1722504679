"""What an attacker names who knows that k clips are of one person.

Legend: M rows (test clips over folds), K people, n clips of one person under one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from .intervals import LEVEL, Interval
from .resampling import DRAWS, person_interval

SIZES = (1, 2, 4, 8, 12)
# Of 12 clips all subsets of any size are taken; there are 924 at most.
MOST_SUBSETS = 1000


@dataclass(frozen=True)
class Accumulation:
    """Accuracy with k linked clips.

    Attributes:
        clips: k.
        value: share of the subsets for which the person is named, in [0, 1]; the mean over people.
        interval: over people.
    """

    clips: int
    value: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        interval = self.interval.to_dict()
        return {'clips': self.clips, 'value': round(self.value, 4), 'interval': interval}


def accumulate(
    log_probs_MK: np.ndarray,
    labels_M: Sequence[int],
    strata_M: Sequence[Any],
    sizes: Sequence[int] = SIZES,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Accumulation]:
    """Accuracy when k clips are known to be of one person: log-probabilities are summed over them.

    Clips given the person are taken for independent, as a naive Bayes attacker does, with people
    equally likely beforehand. Subsets are drawn without replacement from the clips of one person
    under one model: all where there are at most 1000, else that many at random.

    Args:
        log_probs_MK: of each person for each clip, (M, K), finite.
        labels_M: the true person of each clip, whole numbers below K.
        strata_M: the model that answered for each clip, such as its fold and seed: clips of
            different models are never summed.
        sizes: each k.
        level, draws, seed: of the interval, which resamples people: each person's figure is one
            mean over strata, for subsets overlap.

    Returns:
        One figure for each k, in the order of ``sizes``.

    Raises:
        ValueError: rows that do not fit, log-probabilities that are not finite, fewer than two
            people, or a person with fewer than k clips under a model (see :func:`most_linkable`).

    Example:
        >>> log_probs = np.log([[0.6, 0.4], [0.45, 0.55], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
        >>> [a.value for a in accumulate(log_probs, [0, 0, 0, 1, 1], ['fold1'] * 5, (1, 2))]
        [0.833..., 1.0]
    """
    log_probs_MK, labels_M = check_log_probs(log_probs_MK, labels_M)
    strata_M = np.asarray(strata_M)
    most = most_linkable(labels_M, strata_M)
    if min(sizes) < 1 or max(sizes) > most:
        raise ValueError(
            f'cannot link {list(sizes)} clips: a person has {most} under one model, so that sizes '
            f'are 1 to {most}'
        )
    rng = np.random.default_rng(seed)
    people = np.unique(labels_M)
    results = []
    for size in sizes:
        shares = [
            np.mean(
                [
                    _named(log_probs_MK[rows], label, size, rng)
                    for rows in _by_stratum(labels_M, strata_M, label)
                ]
            )
            for label in people
        ]
        interval = person_interval(shares, people, people, level, draws, seed)
        results.append(Accumulation(size, float(np.mean(shares)), interval))
    return results


def most_linkable(labels_M: Sequence[int], strata_M: Sequence[Any]) -> int:
    """The fewest clips that a person has under a model: the largest k that fits everyone."""
    labels_M, strata_M = np.asarray(labels_M), np.asarray(strata_M)
    return min(
        len(rows)
        for label in np.unique(labels_M)
        for rows in _by_stratum(labels_M, strata_M, label)
    )


def check_log_probs(
    log_probs_MK: np.ndarray, labels_M: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, float64 and whole numbers.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, labels outside 0 to K - 1.
    """
    log_probs_MK, labels_M = np.asarray(log_probs_MK, dtype=float), np.asarray(labels_M)
    if log_probs_MK.ndim != 2 or labels_M.shape != log_probs_MK.shape[:1] or not len(labels_M):
        raise ValueError(
            'log-probabilities are (M, K) with labels (M,), got '
            f'{log_probs_MK.shape} and {labels_M.shape}'
        )
    if not np.isfinite(log_probs_MK).all():
        raise ValueError('log-probabilities must be finite: take log_softmax, not log of a softmax')
    if (
        labels_M.dtype.kind not in 'iu'
        or labels_M.min() < 0
        or labels_M.max() >= len(log_probs_MK.T)
    ):
        raise ValueError(f'labels are whole numbers from 0 to {len(log_probs_MK.T) - 1}')
    return log_probs_MK, labels_M


def _by_stratum(labels_M: np.ndarray, strata_M: np.ndarray, label: int) -> list[np.ndarray]:
    """Rows of one person under each model that has any."""
    mine = np.flatnonzero(labels_M == label)
    return [mine[strata_M[mine] == stratum] for stratum in np.unique(strata_M[mine])]


def _named(log_probs_nK: np.ndarray, label: int, size: int, rng: np.random.Generator) -> float:
    """Share of the subsets of that size for which the sum is greatest for the true person."""
    count = len(log_probs_nK)
    if comb(count, size) <= MOST_SUBSETS:
        subsets = np.array(list(combinations(range(count), size)))
    else:
        subsets = rng.random((MOST_SUBSETS, count)).argsort(1)[:, :size]
    return float((log_probs_nK[subsets].sum(1).argmax(1) == label).mean())
