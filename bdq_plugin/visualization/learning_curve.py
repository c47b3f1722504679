"""What more training clips give an attacker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ..evaluation.statistics import LearningPoint
from .interval_curves import interval_curves


def learning_curve(curves: Mapping[str, Sequence[LearningPoint]], chance: float) -> Figure:
    """Accuracy of an attacker against the number of clips that it was trained on.

    Args:
        curves: by encoder.
        chance: one person's share, in [0, 1].

    Raises:
        ValueError: there is no curve, or one has no point.
    """
    return interval_curves(
        curves, chance, "clips in the attacker's training", 'Learning curve of the attacker'
    )
