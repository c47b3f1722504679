"""Leakage against the number of clips that the attacker has.

Legend: M rows (training clips).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import Interval
from .resampling import check_rows


@dataclass(frozen=True)
class LearningPoint:
    """A figure of an attacker that had so many training clips.

    Attributes:
        clips: number of training clips.
        value: the figure, in [0, 1].
        interval: of the figure.
    """

    clips: int
    value: float
    interval: Interval


def nested_subsets(
    persons_M: Sequence[Any], groups_M: Sequence[Any], sizes: Sequence[int], seed: int = 0
) -> dict[int, np.ndarray]:
    """Training clips for each point of a learning curve; each set holds the smaller ones.

    Each person's performances are put into one random order, of which a set takes the first: every
    person has as many, and all clips of a performance go together.

    Args:
        persons_M, groups_M: person and performance of each training clip; a performance's name is
            looked at within its person alone.
        sizes: performances of each person.
        seed: of the order.

    Returns:
        For each size the rows of its set, ascending.

    Raises:
        ValueError: no rows, lengths that differ, or a person with fewer performances than a size.

    Example:
        >>> nested_subsets(['a', 'a', 'b', 'b'], ['1', '2', '1', '2'], [2])[2]
        array([0, 1, 2, 3])
    """
    persons_M, groups_M = check_rows(persons=persons_M, groups=groups_M)
    rng = np.random.default_rng(seed)
    rank_M = np.empty(len(persons_M), dtype=int)
    for person in np.unique(persons_M):
        mine = persons_M == person
        names, group = np.unique(groups_M[mine], return_inverse=True)
        if min(sizes) < 1 or max(sizes) > len(names):
            raise ValueError(
                f'person {person} has {len(names)} performances: sizes {list(sizes)} must be 1 to '
                'that many'
            )
        rank_M[mine] = rng.permutation(len(names))[group]
    return {size: np.flatnonzero(rank_M < size) for size in sizes}
