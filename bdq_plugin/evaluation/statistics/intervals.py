"""Figures with intervals that say how they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

LEVEL = 0.95
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class Interval:
    """Bounds of a figure, in its own unit, and the method that gave them."""

    low: float
    high: float
    method: str

    def to_dict(self) -> dict[str, float | str]:
        """Plain values, for JSON; four digits are more than any test set here resolves."""
        return {k: v if isinstance(v, str) else round(v, 4) for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval, in one unit."""

    value: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {'value': round(self.value, 4), 'interval': self.interval.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimate:
        """The inverse of :meth:`to_dict`."""
        return cls(values['value'], Interval(**values['interval']))


def wilson_interval(hits: float, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a share (Wilson, JASA 1927).

    Args:
        hits: number of successes; a mean over seeds need not be whole.
        trials: number of independent trials.
        level: coverage, between 0 and 1.

    Raises:
        ValueError: no trial, or more hits than trials.

    Example:
        >>> wilson_interval(5, 10).low
        0.236593...
    """
    if trials < 1 or not 0 <= hits <= trials:
        raise ValueError(f'a share needs 0 to {trials} hits of at least one trial, got {hits}')
    z2 = norm.ppf(0.5 + level / 2) ** 2
    share = hits / trials
    centre = share + z2 / (2 * trials)
    margin = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * trials)) / trials)
    low, high = (centre - margin) / (1 + z2 / trials), (centre + margin) / (1 + z2 / trials)
    method = f'Wilson {level:.0%}, {trials} clips'
    return Interval(max(0.0, float(low)), min(1.0, float(high)), method)


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    groups: Sequence[str],
    level: float = LEVEL,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap that draws whole groups.

    Two views of one performance, or the frames of one clip, are no independent trials: drawing
    groups keeps them together.

    Args:
        statistic: from indices of clips (with repeats) to the figure.
        groups: the group (performance) of each clip.
        level: coverage, between 0 and 1.
        draws: number of resamples.
        seed: of the draws; the same data give the same interval.

    Raises:
        ValueError: there is no clip.

    Example:
        >>> hits = np.array([1.0, 0.0, 1.0, 1.0])
        >>> bootstrap_interval(lambda index: hits[index].mean(), ['a', 'a', 'b', 'b']).low
        0.5
    """
    if not len(groups):
        raise ValueError('an interval needs at least one clip')
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(owner == k) for k in range(len(names))]
    rng = np.random.default_rng(seed)
    values = [
        statistic(np.concatenate([members[k] for k in rng.integers(len(names), size=len(names))]))
        for _ in range(draws)
    ]
    low, high = np.nanquantile(values, [0.5 - level / 2, 0.5 + level / 2])
    method = f'bootstrap {level:.0%} over {len(names)} performances, {draws} draws, seed {seed}'
    return Interval(float(low), float(high), method)
