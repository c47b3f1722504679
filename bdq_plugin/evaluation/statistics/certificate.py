"""What randomised response guarantees against any attacker, in closed form.

A code with K levels is sent as it is with probability 1 - q, and else as one of the K - 1 others
(:mod:`bdq_plugin.randomized_response`), each code by itself. Whatever an attacker knows (the
encoder, q, video of the people, the two clips themselves) but the draws, and however he computes,
the bounds here hold. They count codes, so they add up over clips and days; and they are about all
that codes tell: an action cannot be told from fewer bits than it has.

The bounds are of codes that are drawn once. How many codes there are, and when, is no part of them:
clips of other lengths are told apart by these.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, norm

from ...randomized_response import check_flip

# Standard deviations of a binomial number beyond which its probability is left out.
_FAR = 12


def capacity_bits(flip: float, num_levels: int = 2) -> float:
    """Most bits that a code can tell: the capacity of the K-ary symmetric channel.

    ``log2 K - h2(q) - q log2(K - 1)``; for bits ``1 - h2(q)``. n codes tell at most n times that of
    who and what was filmed (data processing; Cover and Thomas, Elements of Information Theory,
    chapters 2 and 7), however they hang together.

    Example:
        >>> capacity_bits(0.5)
        0.0
    """
    check_flip(flip, num_levels)
    others = num_levels - 1
    told = np.log2(num_levels) + _xlog2(1 - flip, 1 - flip) + _xlog2(flip, flip / others)
    return max(0.0, float(told))


def privacy_loss(flip: float, num_levels: int = 2) -> float:
    """Epsilon of a code under local differential privacy, nats: ``ln((1 - q)(K - 1) / q)``.

    No answer is more than ``exp(epsilon)`` times likelier under one code than under another; for
    clips that differ in d codes it is d times as much. Infinite where nothing is replaced.

    Source: Kairouz, Oh and Viswanath, JMLR 17, 2016.
    """
    check_flip(flip, num_levels)
    if not flip:
        return float('inf')
    return max(0.0, float(np.log((1 - flip) * (num_levels - 1) / flip)))


def pair_error(differing: int, flip: float, num_levels: int = 2) -> float:
    """Equal error rate of the best test between two given clips, in [0, 0.5]; exact.

    The best test (Neyman and Pearson) counts in which of the differing codes the answer is that of
    the first clip, and in which that of the second; a tie is decided by a coin. By symmetry its two
    errors are equal. No other test has a lower EER.

    Args:
        differing: number of codes in which the clips differ before they are randomised.
        flip: q.
        num_levels: K.

    Example:
        >>> pair_error(1, 0.25)
        0.25
    """
    check_flip(flip, num_levels)
    _check_count(differing)
    other = flip / (num_levels - 1)
    # Answers that are of neither clip say nothing; the others are a coin with this share of errors.
    telling = 1 - flip + other
    mean, spread = differing * telling, np.sqrt(differing * telling * (1 - telling))
    low = max(0, int(mean - _FAR * spread) - 1)
    high = min(differing, int(mean + _FAR * spread) + 1)
    told = np.arange(low, high + 1)
    wrong = other / telling
    errors = binom.sf(told // 2, told, wrong)
    errors += np.where(told % 2, 0, binom.pmf(told // 2, told, wrong) / 2)
    return float((binom.pmf(told, differing, telling) * errors).sum())


def pair_error_gaussian(differing: int, flip: float, num_levels: int = 2) -> float:
    """:func:`pair_error` by the central limit theorem: ``Phi(-mu / 2)``, no bound but close.

    For bits ``mu = sqrt(d) (1 - 2 q) / sqrt(q (1 - q))``.
    """
    check_flip(flip, num_levels)
    _check_count(differing)
    other = flip / (num_levels - 1)
    gap, variance = 1 - flip - other, 1 - flip + other - (1 - flip - other) ** 2
    if not variance:
        return 0.0 if differing else 0.5
    return float(norm.cdf(-gap * np.sqrt(differing / variance)))


def most_accuracy(bits: float, classes: int) -> float:
    """Share of the clips in which one of K equally likely classes can be named at most.

    Fano's inequality: to be right in a share a takes at least ``log2 K - h2(a) - (1 - a) log2(K -
    1)`` bits. It holds for people and for actions alike, and for a mean over clips by the mean of
    their bits.

    Args:
        bits: most information about the class, in bits.
        classes: K, 2 or more.

    Raises:
        ValueError: fewer classes, or bits below 0.

    Example:
        >>> most_accuracy(0.0, 10), most_accuracy(5.0, 10)
        (0.1, 1.0)
    """
    if classes < 2 or not bits >= 0:
        raise ValueError(f'bits are 0 or more of 2 classes or more, got {bits} of {classes}')
    if bits >= np.log2(classes):
        return 1.0
    if bits == 0:
        return 1 / classes

    def needed(share: float) -> float:
        return capacity_bits(1 - share, classes) - bits

    return float(brentq(needed, 1 / classes, 1.0))


def _xlog2(factor: float, value: float) -> float:
    return factor * np.log2(value) if factor else 0.0


def _check_count(differing: int) -> None:
    if differing < 0:
        raise ValueError(f'clips differ in 0 codes or more, got {differing}')
