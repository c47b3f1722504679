"""Intervals by resampling people and, within each of them, performances.

Clips of one person are no independent trials: an attacker who knows someone's way of moving is
right on most of that person's clips. The unit that an audit draws from the world is the person.

Legend: M rows (test clips over folds), K people, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import LEVEL, Estimate, Interval

DRAWS = 2000


def draw_weights(
    persons_M: Sequence[Any], groups_M: Sequence[Any], draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """How often each row stands in each resample of people and of their performances.

    K people are drawn with replacement, and for each of them as many performances with replacement
    as that person has (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section
    3.8). All rows of a performance, such as its views, go together.

    Args:
        persons_M: the person of each row, (M,).
        groups_M: the performance of each row, (M,); a name is looked at within its person alone.
        draws: number of resamples B.
        seed: the same rows and seed give the same weights.

    Returns:
        int64 (B, M). The weighted mean of a row of it is the mean of one resample.

    Raises:
        ValueError: no rows, lengths that differ, or fewer than two people.

    Example:
        >>> draw_weights(['a', 'a', 'b'], ['1', '2', '1'], draws=2).shape
        (2, 3)
    """
    persons_M, groups_M = check_rows(persons=persons_M, groups=groups_M)
    people, owner_M = np.unique(persons_M, return_inverse=True)
    if len(people) < 2:
        raise ValueError(
            f'an interval over people needs two of them or more, got {people.tolist()}'
        )
    rng = np.random.default_rng(seed)
    times_BK = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=draws)
    weights_BM = np.empty((draws, len(persons_M)), dtype=np.int64)
    for person in range(len(people)):
        rows = np.flatnonzero(owner_M == person)
        names, group = np.unique(groups_M[rows], return_inverse=True)
        counts = rng.multinomial(
            times_BK[:, person] * len(names), np.full(len(names), 1 / len(names))
        )
        weights_BM[:, rows] = counts[:, group]
    return weights_BM


def resampled_means(
    values_M: Sequence[float],
    persons_M: Sequence[Any],
    groups_M: Sequence[Any],
    draws: int = DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """The mean of each resample, float64 (B,); arguments and errors as :func:`person_interval`."""
    values_M, persons_M, groups_M = check_rows(values=values_M, persons=persons_M, groups=groups_M)
    weights_BM = draw_weights(persons_M, groups_M, draws, seed)
    return weights_BM @ values_M / weights_BM.sum(1)


def person_interval(
    values_M: Sequence[float],
    persons_M: Sequence[Any],
    groups_M: Sequence[Any],
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a mean share by resampling people and their performances.

    In simulations of ten people the nominal 95 % cover the truth in 90 % of sets (people who differ
    much, with many performances each) to 97 % (people who differ less).

    Where every row is 0, or every row is 1, resampling shows no spread at all. Then the other bound
    is the one that holds for any share in [0, 1] of K people: the mean that still lets all K agree
    in (1 - level) / 2 of cases (Clopper and Pearson, Biometrika 1934).

    Args:
        values_M: a share of each row, in [0, 1]: hit or miss, or hits averaged over seeds.
        persons_M: the person of each row.
        groups_M: the performance of each row; the persons again where there is nothing below them.
        level: coverage, between 0 and 1.
        draws: number of resamples.
        seed: of the draws; the same rows give the same interval.

    Raises:
        ValueError: no rows, lengths that differ, a value outside [0, 1], or fewer than two people.

    Example:
        >>> person_interval([1, 1, 0, 0], ['a', 'a', 'b', 'b'], ['1', '2', '1', '2']).low
        0.0
    """
    values_M = np.asarray(values_M, dtype=float)
    if ((values_M < 0) | (values_M > 1)).any():
        raise ValueError(f'shares are in [0, 1], got {values_M.min():.4g} to {values_M.max():.4g}')
    means_B = resampled_means(values_M, persons_M, groups_M, draws, seed)
    people = len(np.unique(np.asarray(persons_M)))
    if values_M.min() == values_M.max() and values_M[0] in (0, 1):
        bound = (0.5 - level / 2) ** (1 / people)
        low, high = (bound, 1.0) if values_M[0] else (0.0, 1 - bound)
        return Interval(low, high, f'Clopper-Pearson {level:.0%}, {people} people who all agree')
    return percentile_interval(means_B, f'over {people} people and their performances', level, seed)


def percentile_interval(figures_B: np.ndarray, over: str, level: float, seed: int) -> Interval:
    """Percentiles of a bootstrap; draws that gave no figure (NaN) are left out and counted out.

    Args:
        figures_B: the figure of each draw, (B,).
        over: what was drawn, for the name of the method.
        level: coverage, between 0 and 1.
        seed: of the draws, for the name of the method.
    """
    figures_B = figures_B[~np.isnan(figures_B)]
    low, high = np.quantile(figures_B, [0.5 - level / 2, 0.5 + level / 2])
    method = f'bootstrap {level:.0%} {over}, {len(figures_B)} draws, seed {seed}'
    return Interval(float(low), float(high), method)


@dataclass(frozen=True)
class Difference(Estimate):
    """What one encoder's figure exceeds another's by."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0: only then a difference was shown."""
        return self.interval.low > 0 or self.interval.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**super().to_dict(), 'excludes_zero': self.excludes_zero}


def paired_difference(
    values_a_M: Sequence[float],
    values_b_M: Sequence[float],
    persons_M: Sequence[Any],
    groups_M: Sequence[Any],
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """How much more of encoder a leaks than of encoder b, paired by clip and person.

    Both are measured on the same clips, so that what makes a person easy or hard to name cancels.

    Args:
        values_a_M, values_b_M: figures of the same clips in the same order, (M,).
        persons_M, groups_M, level, draws, seed: as in :func:`person_interval`.

    Returns:
        mean of a - b, with its percentile interval.

    Raises:
        ValueError: no rows, lengths that differ, or fewer than two people.

    Example:
        >>> paired_difference([1, 1, 1], [0, 1, 0], ['a', 'b', 'c'], ['1', '1', '1']).value
        0.666...
    """
    a_M, b_M, persons_M, groups_M = check_rows(
        values_a=values_a_M, values_b=values_b_M, persons=persons_M, groups=groups_M
    )
    means_B = resampled_means(a_M - b_M, persons_M, groups_M, draws, seed)
    over = f'over {len(np.unique(persons_M))} people and their performances, paired'
    interval = percentile_interval(means_B, over, level, seed)
    return Difference(float((a_M - b_M).mean()), interval)


@dataclass(frozen=True)
class PersonFigure:
    """The figure of one person.

    Attributes:
        person: the name.
        value: mean over that person's rows.
        clips, performances: how many of them there are.
    """

    person: str
    value: float
    clips: int
    performances: int


def person_table(
    values_M: Sequence[float], persons_M: Sequence[Any], groups_M: Sequence[Any]
) -> list[PersonFigure]:
    """The figure of each person, the highest first; equal ones by name.

    Args:
        values_M, persons_M, groups_M: as in :func:`person_interval`.

    Raises:
        ValueError: no rows, or lengths that differ.
    """
    values_M, persons_M, groups_M = check_rows(values=values_M, persons=persons_M, groups=groups_M)
    table = []
    for person in np.unique(persons_M):
        mine = persons_M == person
        count, performances = int(mine.sum()), len(np.unique(groups_M[mine]))
        table.append(PersonFigure(str(person), float(values_M[mine].mean()), count, performances))
    return sorted(table, key=lambda row: -row.value)


def worst_person(
    values_M: Sequence[float], persons_M: Sequence[Any], groups_M: Sequence[Any]
) -> PersonFigure:
    """Whom the encoder hides least: the first of :func:`person_table`.

    It is the greatest of K noisy figures and so errs upwards.
    """
    return person_table(values_M, persons_M, groups_M)[0]


def check_rows(**arrays_M: Sequence[Any]) -> list[np.ndarray]:
    """The arguments as arrays (M,), those that are figures (``values...``) as finite float64.

    Raises:
        ValueError: there are no rows, lengths differ, or a figure is not finite.
    """
    lengths = {name: len(rows) for name, rows in arrays_M.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'rows must be as many of each, got {lengths}')
    if not next(iter(lengths.values())):
        raise ValueError(f'no rows in {", ".join(lengths)}')
    arrays = []
    for name, rows in arrays_M.items():
        array = np.asarray(rows, dtype=float if name.startswith('values') else None)
        if array.dtype.kind == 'f' and not np.isfinite(array).all():
            raise ValueError(f'{name} must be finite, row {np.isfinite(array).argmin()} is not')
        arrays.append(array)
    return arrays
