"""How many people an audit needs: the width of an interval that n people of m performances give."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from .intervals import LEVEL
from .resampling import check_rows

_MOST_PEOPLE = 10_000_000


@dataclass(frozen=True)
class Variances:
    """Variances of a figure: between people, and between performances of one person."""

    between: float
    within: float


def variance_components(
    values_M: Sequence[float], persons_M: Sequence[Any], groups_M: Sequence[Any]
) -> Variances:
    """Variance between people and between their performances, by analysis of variance.

    One-way random effects with unequal numbers (Searle, Casella and McCulloch, Variance Components,
    1992, section 3.6), over the means of performances; a negative estimate becomes 0.

    Args:
        values_M, persons_M, groups_M: as in :func:`~.resampling.person_interval`.

    Raises:
        ValueError: no rows, fewer than two people, or nobody with two performances.
    """
    values_M, persons_M, groups_M = check_rows(values=values_M, persons=persons_M, groups=groups_M)
    means = [
        _performance_means(values_M[persons_M == person], groups_M[persons_M == person])
        for person in np.unique(persons_M)
    ]
    sizes = np.array([len(mean) for mean in means])
    people, total = len(sizes), sizes.sum()
    if people < 2 or total == people:
        raise ValueError(
            f'variances need two people or more, one of them with two performances; got {people} '
            f'people with {total} performances'
        )
    own = np.array([mean.mean() for mean in means])
    grand = np.concatenate(means).mean()
    between_square = (sizes * (own - grand) ** 2).sum() / (people - 1)
    within = sum(((mean - mean.mean()) ** 2).sum() for mean in means) / (total - people)
    typical_size = (total - (sizes**2).sum() / total) / (people - 1)
    return Variances(float(max(0, (between_square - within) / typical_size)), float(within))


def expected_width(
    variances: Variances, people: int, performances: int, level: float = LEVEL
) -> float:
    """Width of the interval of a mean over new people, from upper to lower bound.

    Student's t with people - 1 degrees: what a sound interval needs. Percentiles of few resampled
    people are somewhat narrower.

    Args:
        variances: of a figure like the one that is planned.
        people: number of people, two or more.
        performances: of each of them, one or more.
        level: coverage, between 0 and 1.

    Raises:
        ValueError: too few people or performances.

    Example:
        >>> expected_width(Variances(0.04, 0.2), people=10, performances=36)
        0.30...
    """
    if people < 2 or performances < 1:
        raise ValueError(
            f'a width needs two people and one performance or more, got {people} and {performances}'
        )
    error = np.sqrt((variances.between + variances.within / performances) / people)
    return float(2 * t.ppf(0.5 + level / 2, people - 1) * error)


def people_needed(
    variances: Variances, width: float, performances: int, level: float = LEVEL
) -> int:
    """The fewest people whose interval is no wider than ``width``.

    Args:
        variances, performances, level: as in :func:`expected_width`.
        width: from upper to lower bound, above 0, in the unit of the figure.

    Raises:
        ValueError: a width that ten million people do not reach.
    """
    counts = range(2, _MOST_PEOPLE)
    place = bisect_left(
        counts, -width, key=lambda people: -expected_width(variances, people, performances, level)
    )
    if width <= 0 or place == len(counts):
        raise ValueError(f'no number of people gives an interval of width {width}: ask for more')
    return counts[place]


def _performance_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    _, group = np.unique(groups, return_inverse=True)
    return np.bincount(group, values) / np.bincount(group)
