import pytest

from bdq_plugin.evaluation.pareto import hypervolume, pareto_front


def test_front() -> None:
    points = [(0.9, 0.8), (0.9, 0.3), (0.7, 0.2), (0.6, 0.4), (0.7, 0.2), (0.5, 0.2)]
    assert pareto_front(points) == [2, 1]
    assert pareto_front([]) == []


@pytest.mark.parametrize(
    ('points', 'volume'),
    [
        ([], 0.0),
        ([(1.0, 0.0)], 1.0),
        ([(0.5, 0.5)], 0.25),
        ([(0.5, 0.5), (0.4, 0.6)], 0.25),
        # Two overlapping rectangles: 0.8 x 0.4 and 0.4 x 0.8 share 0.4 x 0.4.
        ([(0.8, 0.6), (0.4, 0.2)], 0.48),
        ([(0.4, 0.2), (0.8, 0.6)], 0.48),
        ([(-1.0, 0.5)], 0.0),
        ([(2.0, -1.0)], 1.0),
    ],
)
def test_hypervolume_of_known_cases(points: list, volume: float) -> None:
    assert hypervolume(points, worst=(0.0, 1.0), best=(1.0, 0.0)) == pytest.approx(volume)


def test_hypervolume_is_a_share_of_the_rectangle() -> None:
    # Halfway between chance and perfect on both axes.
    assert hypervolume([(0.6, 0.55)], worst=(0.2, 1.0), best=(1.0, 0.1)) == pytest.approx(0.25)


def test_best_must_be_better() -> None:
    with pytest.raises(ValueError, match='less leakage'):
        hypervolume([], worst=(1.0, 0.0), best=(0.0, 1.0))
