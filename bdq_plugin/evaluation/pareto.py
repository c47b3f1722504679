"""Trade-offs between action and privacy: which points nothing beats, and how much they cover."""

from __future__ import annotations

from collections.abc import Sequence

from .pooling import PooledResult

Point = tuple[float, float]


def contenders(rows: Sequence[PooledResult]) -> list[PooledResult]:
    """The rows that may claim a trade-off: the one rule for the figure's front and the tables'.

    The leakage of a row is the highest figure of *all* its attackers: what one of them recognised
    has leaked, witness or not. A low figure says something only where at least one attacker is a
    witness, whose recipe names people in clear video of the same folds; a row without one, or
    without a network for the action, is left out.
    """
    return [row for row in rows if row.action is not None and row.evidence_of_privacy]


def as_points(rows: Sequence[PooledResult]) -> list[Point]:
    """Action accuracy and leakage of rows, as the functions of this module take them."""
    return [(row.action.value, row.leakage.value) for row in rows]


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other one beats, by rising action accuracy.

    Args:
        points: pairs (action accuracy, leakage); more of the first and less of the second is
            better. Of equal points the first is kept.

    Example:
        >>> pareto_front([(0.9, 0.8), (0.9, 0.3), (0.7, 0.2), (0.6, 0.4)])
        [2, 1]
    """
    by_leakage = sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0], i))
    front: list[int] = []
    for index in by_leakage:
        if not front or points[index][0] > points[front[-1]][0]:
            front.append(index)
    return front


def hypervolume(points: Sequence[Point], worst: Point, best: Point) -> float:
    """Share of the rectangle between ``worst`` and ``best`` that the points dominate.

    Args:
        points: pairs (action accuracy, leakage).
        worst: the reference, such as (chance of the action, 1).
        best: the ideal, such as (1, chance of the subject); a point beyond it counts as it.

    Returns:
        A number in [0, 1]; 1 is perfect action recognition at no leakage.

    Raises:
        ValueError: ``best`` is not better than ``worst`` in both.

    Example:
        >>> hypervolume([(0.5, 0.5)], worst=(0.0, 1.0), best=(1.0, 0.0))
        0.25
    """
    width, height = best[0] - worst[0], worst[1] - best[1]
    if not (width > 0 and height > 0):
        raise ValueError(f'best {best} must have more action and less leakage than worst {worst}')
    # In units of the rectangle, both axes rising towards the better.
    gains = [
        (
            min(max((action - worst[0]) / width, 0.0), 1.0),
            min(max((worst[1] - leakage) / height, 0.0), 1.0),
        )
        for action, leakage in points
    ]
    area, covered = 0.0, 0.0
    for action, privacy in sorted(gains, reverse=True):
        if privacy > covered:
            area += action * (privacy - covered)
            covered = privacy
    return area
