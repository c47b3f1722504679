"""Trade-offs between action and privacy: which points nothing beats, and how much they cover."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]


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
