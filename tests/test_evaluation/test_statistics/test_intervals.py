import numpy as np
import pytest

from bdq_plugin.evaluation.statistics import bootstrap_interval, wilson_interval


@pytest.mark.parametrize(
    ('hits', 'trials', 'low', 'high'),
    # Newcombe (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_values(hits: int, trials: int, low: float, high: float) -> None:
    interval = wilson_interval(hits, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)
    assert interval.method == f'Wilson 95%, {trials} clips'


@pytest.mark.parametrize(('hits', 'trials'), [(1, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match='hits'):
        wilson_interval(hits, trials)


def test_wilson_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth = 0.3
    intervals = [wilson_interval(int(hits), 120) for hits in rng.binomial(120, truth, 2000)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_bootstrap_is_repeatable_and_says_how_it_was_made() -> None:
    values = np.random.default_rng(1).random(40)

    def statistic(index: np.ndarray) -> float:
        return float(values[index].mean())

    groups = [str(i) for i in range(40)]
    first, second = (bootstrap_interval(statistic, groups, draws=200) for _ in range(2))
    assert first == second
    assert first.low < values.mean() < first.high
    assert first.method == 'bootstrap 95% over 40 performances, 200 draws, seed 0'


def test_two_views_of_a_performance_are_one_trial() -> None:
    hits = np.repeat(np.arange(100) % 2, 2).astype(float)

    def width(groups: list[str]) -> float:
        interval = bootstrap_interval(lambda index: float(hits[index].mean()), groups)
        return interval.high - interval.low

    alone = width([str(i) for i in range(200)])
    together = width([str(i // 2) for i in range(200)])
    assert together == pytest.approx(np.sqrt(2) * alone, rel=0.15)


def test_bootstrap_needs_clips() -> None:
    with pytest.raises(ValueError, match='at least one clip'):
        bootstrap_interval(lambda index: 0.0, [])
