"""Randomised response: each code is, with a stated probability, replaced by another level.

What an attacker learns from such codes has a bound, whoever he is and whatever he knows
(:mod:`bdq_plugin.evaluation.statistics.certificate`). For two levels it is a flipped bit (Warner,
"Randomized response", JASA 60, 1965), for more of them K-ary randomised response (Kairouz, Oh and
Viswanath, "Extremal mechanisms for local differential privacy", JMLR 17, 2016). A camera reads this
module, so it needs no torch; its arithmetic is that of arrays and of tensors alike.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

# A word decides whether a code is replaced, and by what: a whole number of 32 bits.
WORDS = 1 << 32


def check_flip(flip: float, num_levels: int) -> None:
    """Raise ValueError for a probability below 0, or beyond that at which codes tell nothing."""
    most = 1 - 1 / num_levels
    if not 0 <= flip <= most:
        raise ValueError(
            f'flip is a probability from 0 to {most:.6g}, where {num_levels} levels tell nothing '
            f'any more, got {flip}'
        )


def respond(codes: Any, words: Any, flip: float, num_levels: int) -> Any:
    """Replace each code by one of the other levels with probability ``flip``.

    The probability is rounded up to a multiple of 2^-32, and so are those of the other levels, up
    or down.

    Args:
        codes: whole levels from 0 to ``num_levels - 1``, an array or a tensor of any shape.
        words: whole numbers from 0 to 2^32 - 1, int64 of the same shape and kind, all of them
            equally likely and known to nobody.
        flip: see :func:`check_flip`.

    Returns:
        Levels in the wider type of both.

    Example:
        >>> respond(np.array([0, 1, 2]), np.array([0, 2**31, 2**32 - 1]), 0.5, 3)
        array([1, 1, 2])
    """
    replaced = math.ceil(flip * WORDS)
    others = 1 + words * (num_levels - 1) // max(replaced, 1)
    return (codes + (words < replaced) * others) % num_levels


def draw_words(shape: tuple[int, ...]) -> np.ndarray:
    """Words from the operating system, int64.

    Not from a generator that it only seeds: the bound holds against attackers who could compute the
    state of one.
    """
    return np.frombuffer(os.urandom(4 * math.prod(shape)), '<u4').astype(np.int64).reshape(shape)
