"""What linking clips of one person gives away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ..evaluation.statistics import Accumulation
from .interval_curves import interval_curves


def accumulation_curves(curves: Mapping[str, Sequence[Accumulation]], chance: float) -> Figure:
    """Accuracy of an attacker against the number of clips known to be of one person.

    Args:
        curves: by encoder, of :func:`~bdq_plugin.evaluation.statistics.accumulate`.
        chance: one person's share, in [0, 1].

    Raises:
        ValueError: there is no curve, or one has no point.
    """
    return interval_curves(
        curves, chance, 'clips known to be of one person', 'Accumulation over linked clips'
    )
