"""Bits about the person in a clip: a lower bound that an attacker proves by its answers.

Legend: M rows (test clips over folds), K people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from .accumulation import check_log_probs
from .intervals import LEVEL, Estimate
from .resampling import DRAWS, check_rows, percentile_interval, resampled_means

_MOST_SCALE = 100.0


def fit_temperature(log_probs_MK: np.ndarray, labels_M: Sequence[int]) -> float:
    """The temperature that makes answers on clips that the model did not learn from honest.

    Temperature scaling without bias (Guo et al., ICML 2017): the cross-entropy is convex in
    1 / temperature. As in Platt's scaling (1999) the targets keep 1 / (M + 1) for everyone, so that
    answers that are all right get a finite temperature. Answers that know nothing, or less, get
    infinity, which makes them uniform.

    Args:
        log_probs_MK: on held-out *training* clips, such as the left-out takes of a
            cross-validation, (M, K). Never on the test clips: the bound would not hold.
        labels_M: their true people.

    Returns:
        Above 0, possibly infinity.

    Raises:
        ValueError: shapes that do not fit, log-probabilities that are not finite, or labels outside
            0 to K - 1.
    """
    log_probs_MK, labels_M = check_log_probs(log_probs_MK, labels_M)
    count, people = log_probs_MK.shape
    targets_MK = np.full((count, people), 1 / (count + 1) / people)
    targets_MK[np.arange(count), labels_M] += count / (count + 1)

    def cross_entropy(scale: float) -> float:
        return -float((targets_MK * log_softmax(scale * log_probs_MK, axis=1)).sum() / count)

    # Answers of any unit: the search is for a scale of answers that spread by about one.
    unit = log_probs_MK.std(1).mean()
    if unit == 0:
        return float('inf')
    best = minimize_scalar(
        lambda scale: cross_entropy(scale / unit), bounds=(0, _MOST_SCALE), method='bounded'
    )
    return float(unit / best.x) if best.fun < cross_entropy(0) else float('inf')


def temper(log_probs_MK: np.ndarray, temperature: float) -> np.ndarray:
    """Log-probabilities at another temperature, normalised, (M, K).

    Args:
        log_probs_MK: of one model: each fold and seed has a temperature of its own.
        temperature: of :func:`fit_temperature`.
    """
    return log_softmax(np.asarray(log_probs_MK, dtype=float) / temperature, axis=1)


def information_bits(
    log_probs_MK: np.ndarray,
    labels_M: Sequence[int],
    groups_M: Sequence[Any],
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """A lower bound of the information about the person in a clip, in bits.

    Entropy of the people minus the cross-entropy of the answers: whatever the attacker, the mutual
    information of person and clip is at least that (Barber and Agakov, NIPS 2003). The entropy is
    that of the people's shares of the clips, log2 K where they have equally many. Below 0 the bound
    says nothing.

    Args:
        log_probs_MK: normalised, of :func:`temper`, for test clips.
        labels_M: the true people.
        groups_M: the performance of each clip.
        level, draws, seed: of the interval, which resamples people and their performances.

    Returns:
        Bits a clip, with the interval. Like any mean over few clips the figure may exceed the truth
        by chance; the interval says by how much.

    Raises:
        ValueError: as :func:`fit_temperature`, or probabilities that do not sum to 1, or fewer than
            two people.

    Example:
        >>> certain = np.log([[1 - 1e-9, 1e-9], [1e-9, 1 - 1e-9]])
        >>> information_bits(certain, [0, 1], ['a', 'b']).value
        0.99999...
    """
    log_probs_MK, labels_M = check_log_probs(log_probs_MK, labels_M)
    _, groups_M = check_rows(labels=labels_M, groups=groups_M)
    if not np.allclose(np.exp(log_probs_MK).sum(1), 1, atol=1e-3):
        raise ValueError(
            'probabilities of a clip must sum to 1: temper the log-probabilities first'
        )
    shares = np.unique(labels_M, return_counts=True)[1] / len(labels_M)
    entropy = -(shares * np.log2(shares)).sum()
    gains_M = entropy + log_probs_MK[np.arange(len(labels_M)), labels_M] / np.log(2)
    means_B = resampled_means(gains_M, labels_M, groups_M, draws, seed)
    over = f'over {len(shares)} people and their performances'
    return Estimate(float(gains_M.mean()), percentile_interval(means_B, over, level, seed))
