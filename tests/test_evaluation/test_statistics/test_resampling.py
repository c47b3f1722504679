"""Intervals over people: closed forms, and how often they cover a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdq_plugin.evaluation.statistics import (
    paired_difference,
    person_interval,
    person_table,
    wilson_interval,
    worst_person,
)
from bdq_plugin.evaluation.statistics.resampling import draw_weights, resampled_means

PEOPLE, PERFORMANCES, VIEWS = 10, 6, 2
PERSONS = np.repeat([f'p{i}' for i in range(PEOPLE)], PERFORMANCES * VIEWS)
GROUPS = np.tile(np.repeat(np.arange(PERFORMANCES), VIEWS), PEOPLE)


def hierarchical_hits(rng: np.random.Generator, mean: float = 0.4, spread: float = 0.2):
    """Hits whose probability is a person's own, both views of a performance together."""
    total = mean * (1 - mean) / spread**2 - 1
    own = rng.beta(mean * total, (1 - mean) * total, PEOPLE)
    together = rng.random((PEOPLE, PERFORMANCES)) < own[:, None]
    return np.repeat(together.ravel(), VIEWS).astype(float)


def test_people_are_covered_where_wilson_is_sure_of_too_much() -> None:
    rng, truth, runs = np.random.default_rng(0), 0.4, 300
    by_person = by_clip = 0
    for run in range(runs):
        hits = hierarchical_hits(rng, truth)
        interval = person_interval(hits, PERSONS, GROUPS, draws=400, seed=run)
        wilson = wilson_interval(hits.sum(), len(hits))
        by_person += interval.low <= truth <= interval.high
        by_clip += wilson.low <= truth <= wilson.high
    assert 0.88 <= by_person / runs <= 0.99
    assert by_clip / runs < 0.8


def test_variance_is_that_of_both_levels() -> None:
    """Without views, Var = (K-1)/K s_b^2 / K + s_w^2 / (K m) with the sample's own variances."""
    values = np.random.default_rng(1).random((PEOPLE, PERFORMANCES))
    persons = np.repeat(np.arange(PEOPLE), PERFORMANCES)
    means = resampled_means(values.ravel(), persons, np.tile(range(6), PEOPLE), draws=20_000)
    between, within = values.mean(1).var(), values.var(1).mean()
    assert means.var() == pytest.approx(between / PEOPLE + within / values.size, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.003)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=30).filter(
        lambda rows: len({person for person, _ in rows}) > 1
    )
)
def test_weights_draw_whole_people_and_whole_performances(rows: list[tuple[int, int]]) -> None:
    persons, groups = np.array(rows).T
    weights = draw_weights(persons, groups, draws=30)
    drawn = np.zeros(30)
    for person in np.unique(persons):
        mine = persons == person
        names, first = np.unique(groups[mine], return_index=True)
        for name in names:
            own = weights[:, mine & (groups == name)]
            assert (own == own[:, :1]).all()
        # The person's performances are drawn as often as it has them, for each time it is drawn.
        times = weights[:, mine][:, first].sum(1) / len(names)
        assert (times == times.round()).all()
        drawn += times
    assert (drawn == len(np.unique(persons))).all()


def test_order_of_the_rows_does_not_matter_and_seeds_repeat() -> None:
    hits, order = hierarchical_hits(np.random.default_rng(2)), np.random.default_rng(3).permutation
    first = person_interval(hits, PERSONS, GROUPS)
    assert first == person_interval(hits, PERSONS, GROUPS)
    mixed = order(len(hits))
    second = person_interval(hits[mixed], PERSONS[mixed], GROUPS[mixed])
    assert (second.low, second.high) == pytest.approx((first.low, first.high))
    assert first != person_interval(hits, PERSONS, GROUPS, seed=1)
    assert first.low < hits.mean() < first.high
    assert first.method == (
        'bootstrap 95% over 10 people and their performances, 2000 draws, seed 0'
    )


def test_an_encoder_that_outputs_nothing_is_at_chance() -> None:
    """Every clip is answered with the same person."""
    interval = person_interval((PERSONS == 'p3').astype(float), PERSONS, GROUPS)
    assert interval.low == 0 < 0.1 < interval.high <= 0.5


@pytest.mark.parametrize(('value', 'low', 'high'), [(1, 0.025**0.1, 1), (0, 0, 1 - 0.025**0.1)])
def test_ten_people_who_all_agree_do_not_prove_that_all_would(value, low, high) -> None:
    interval = person_interval(np.full(len(PERSONS), value), PERSONS, GROUPS)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.method == 'Clopper-Pearson 95%, 10 people who all agree'


class TestPairedDifference:
    def test_what_is_hard_for_both_cancels(self) -> None:
        rng = np.random.default_rng(4)
        easy = np.repeat(rng.random(PEOPLE), PERFORMANCES * VIEWS)
        a, b = easy, easy - 0.1
        difference = paired_difference(a, b, PERSONS, GROUPS)
        found = (difference.value, difference.interval.low, difference.interval.high)
        assert found == pytest.approx((0.1, 0.1, 0.1))
        assert difference.excludes_zero
        alone = person_interval(a, PERSONS, GROUPS)
        assert alone.high - alone.low > 0.2

    def test_swapped_encoders_swap_the_sign(self) -> None:
        rng = np.random.default_rng(5)
        a, b = hierarchical_hits(rng), hierarchical_hits(rng)
        forth, back = (paired_difference(*pair, PERSONS, GROUPS) for pair in ((a, b), (b, a)))
        assert forth.value == -back.value == pytest.approx((a - b).mean())
        bounds = (-back.interval.high, -back.interval.low)
        assert (forth.interval.low, forth.interval.high) == pytest.approx(bounds)

    def test_equal_encoders_differ_by_chance_as_rarely_as_stated(self) -> None:
        rng, false_alarms = np.random.default_rng(6), 0
        for run in range(200):
            a, b = hierarchical_hits(rng), hierarchical_hits(rng)
            false_alarms += paired_difference(
                a, b, PERSONS, GROUPS, draws=300, seed=run
            ).excludes_zero
        assert false_alarms / 200 <= 0.12

    def test_no_difference_is_not_shown(self) -> None:
        same = hierarchical_hits(np.random.default_rng(7))
        difference = paired_difference(same, same, PERSONS, GROUPS)
        assert not difference.excludes_zero
        assert difference.to_dict() == {
            'value': 0.0,
            'interval': difference.interval.to_dict(),
            'excludes_zero': False,
        }


def test_worst_person_leads_the_table() -> None:
    values = [0.5, 1.0, 0.0, 0.5, 1.0, 1.0]
    table = person_table(values, ['b', 'b', 'a', 'a', 'c', 'c'], ['1', '1', '1', '2', '1', '2'])
    assert [(row.person, row.value, row.clips, row.performances) for row in table] == [
        ('c', 1.0, 2, 2),
        ('b', 0.75, 2, 1),
        ('a', 0.25, 2, 2),
    ]
    assert worst_person(values, list('bbaacc'), list('111212')) == table[0]


@pytest.mark.parametrize(
    ('values', 'persons', 'groups', 'message'),
    [
        ([], [], [], 'no rows in values, persons, groups'),
        (
            [1, 0],
            ['a', 'b'],
            ['1'],
            "as many of each, got {'values': 2, 'persons': 2, 'groups': 1}",
        ),
        ([1, 0], ['a', 'a'], ['1', '2'], r"two of them or more, got \['a'\]"),
        ([1, 1.5], ['a', 'b'], ['1', '2'], r'shares are in \[0, 1\], got 1 to 1.5'),
        ([1, np.nan], ['a', 'b'], ['1', '2'], 'values must be finite, row 1 is not'),
    ],
)
def test_bad_rows(values, persons, groups, message) -> None:
    with pytest.raises(ValueError, match=message):
        person_interval(values, persons, groups)
