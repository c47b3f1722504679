"""Accuracies with intervals over a number of clips: those that are linked, or learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ..evaluation.statistics import Interval
from .style import COLORS, LINES, MARKERS, NEUTRAL, look

# Whiskers of neighbours stand side by side: each curve is shifted by this share of its x.
_SHIFT = 0.022


class Point(Protocol):
    """A share in [0, 1], with its interval, at a number of clips."""

    clips: int
    value: float
    interval: Interval


def interval_curves(
    curves: Mapping[str, Sequence[Point]], chance: float, xlabel: str, title: str
) -> Figure:
    """One line a name over a logarithmic axis, in per cent, with whiskers and chance.

    Args:
        curves: points of each line by name.
        chance: what knowing nothing scores, in [0, 1].
        xlabel, title: plain text.

    Raises:
        ValueError: there is no curve, or one has no point.
    """
    if not curves or not all(curves.values()):
        raise ValueError(f'a curve needs points, got {[(k, len(v)) for k, v in curves.items()]}')
    with look():
        figure, axis = plt.subplots(figsize=(5.2, 3.6), layout='constrained')
        for number, (name, points) in enumerate(curves.items()):
            _draw(axis, name, points, number, len(curves))
        axis.axhline(100 * chance, color=NEUTRAL, lw=0.8, ls=(0, (1, 2)), label='chance')
        _frame(axis, sorted({point.clips for points in curves.values() for point in points}))
        axis.set(xlabel=xlabel, ylabel='person: accuracy (%)', ylim=(0, 103))
        axis.set_title(title, loc='left')
        figure.legend(loc='outside lower center', ncols=2, fontsize=8)
    return figure


def _draw(axis: Axes, name: str, points: Sequence[Point], number: int, total: int) -> None:
    points = sorted(points, key=lambda point: point.clips)
    values = 100 * np.array([point.value for point in points])
    bounds = 100 * np.array([[point.interval.low, point.interval.high] for point in points]).T
    # A figure may lie outside its percentiles by a hair; a whisker cannot.
    whiskers = np.abs(
        np.array([np.minimum(bounds[0], values), np.maximum(bounds[1], values)]) - values
    )
    axis.errorbar(
        [point.clips * (1 + _SHIFT) ** (number - (total - 1) / 2) for point in points],
        values,
        yerr=whiskers,
        color=COLORS[number % len(COLORS)],
        ls=LINES[number % len(LINES)],
        marker=MARKERS[number % len(MARKERS)],
        elinewidth=0.8,
        capsize=2,
        label=name,
    )


def _frame(axis: Axes, numbers: Sequence[int]) -> None:
    axis.set_xscale('log', base=2)
    axis.xaxis.set_major_locator(FixedLocator(numbers))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(lambda x, _: f'{x:.0f}')
