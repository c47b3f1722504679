"""EER and Cllr against closed forms, and over people."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from bdq_plugin.evaluation.statistics import (
    Trials,
    cllr,
    cosine_scores,
    equal_error_rate,
    likelihood_ratio_scores,
    make_trials,
    min_cllr,
    verify,
)
from bdq_plugin.evaluation.statistics.verification import _resampled

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@pytest.mark.parametrize('distance', [0.5, 1.0, 2.0])
def test_gaussians_of_equal_variance(distance: float) -> None:
    """EER = Phi(-d' / 2), and 1 - min Cllr is what the log-likelihood ratio itself tells."""
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(distance, 1, 30_000), rng.normal(0, 1, 30_000)
    assert equal_error_rate(genuine, impostor) == pytest.approx(norm.cdf(-distance / 2), abs=0.008)
    ratios = [distance * (x - distance / 2) for x in (genuine, impostor)]
    assert min_cllr(genuine, impostor) == pytest.approx(cllr(*ratios), abs=0.005)
    assert min_cllr(genuine, impostor) <= cllr(*ratios)


@pytest.mark.parametrize(
    ('genuine', 'impostor', 'eer', 'cost'),
    [
        ([2, 3], [0, 1], 0, 0),  # separable
        ([0, 1, 2], [0, 1, 2], 0.5, 1),  # identical
        ([0], [1], 1, 1),  # reversed: no monotonous reading helps
        ([5, 5], [5], 0.5, 1),  # constant
        # Half of each is known, of the rest nothing.
        ([1, 3], [0, 2], 0.5, 0.5),
        # Equal scores are a coin: a half of one quarter on either side.
        ([1, 2, 2, 3], [0, 0, 1, 2], 0.25, None),
    ],
)
def test_closed_forms(genuine, impostor, eer, cost) -> None:
    assert equal_error_rate(genuine, impostor) == pytest.approx(eer)
    if cost is not None:
        assert min_cllr(genuine, impostor) == pytest.approx(cost)


@pytest.mark.parametrize(('ratio', 'cost'), [(0, 1), (np.log(3), np.log2(4 / 3))])
def test_cllr_by_hand(ratio: float, cost: float) -> None:
    assert cllr([ratio], [-ratio]) == pytest.approx(cost)


def test_wrong_ratios_cost_more_than_silence() -> None:
    assert cllr([-2.0], [2.0]) > 1


@settings(max_examples=50, deadline=None)
@given(scores, scores)
def test_only_the_order_of_scores_counts(genuine, impostor) -> None:
    eer, cost = equal_error_rate(genuine, impostor), min_cllr(genuine, impostor)
    assert 0 <= eer <= 1 and 0 <= cost <= 1 + 1e-12
    assert equal_error_rate(impostor, genuine) == pytest.approx(1 - eer)
    bent = [np.exp(np.array(x) / 2) for x in (genuine, impostor)]
    assert (equal_error_rate(*bent), min_cllr(*bent)) == pytest.approx((eer, cost), abs=1e-9)
    # Repeating every trial adds nothing.
    twice = (equal_error_rate(genuine * 2, impostor * 2), min_cllr(genuine * 2, impostor * 2))
    assert twice == pytest.approx((eer, cost), abs=1e-9)
    # The best of all calibrations is no worse than the scores as they are, or turned round.
    assert cost <= min(cllr(genuine, impostor), 1) + 1e-9


@pytest.mark.parametrize('args', [([], [1.0]), ([1.0], [])])
def test_both_kinds_are_needed(args) -> None:
    with pytest.raises(ValueError, match='both kinds of trials'):
        equal_error_rate(*args)


def test_scores_must_be_numbers() -> None:
    with pytest.raises(ValueError, match='finite'):
        min_cllr([np.nan], [1.0])


# ------------------------------------------------------------------ trials
def clips(people: int, count: int, noise: float, seed: int = 0, same: int = 0):
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(100 + same).normal(size=(people, 4))
    persons = np.repeat(np.arange(people), count)
    return own[persons] + rng.normal(0, noise, (len(persons), 4)), persons


def test_pairs_and_their_scores() -> None:
    enrol, test = np.array([[1.0, 0], [0, 2]]), np.array([[3.0, 0], [0, 0]])
    trials = make_trials(enrol, test, ['a', 'b'], ['a', 'b'])
    assert trials.scores_N.tolist() == [1, 0, 0, 0]
    assert trials.enrolled_N.tolist() == ['a', 'a', 'b', 'b']
    assert trials.tested_N.tolist() == ['a', 'b', 'a', 'b']
    assert cosine_scores(enrol, test)[0, 0] == 1


def test_likelihood_ratios_are_those_of_the_two_covariance_model() -> None:
    between, rng = np.array([0.0, 0.5, 3.0]), np.random.default_rng(0)
    enrol, test = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))
    found = likelihood_ratio_scores(enrol, test, between)
    for i, j in np.ndindex(2, 4):
        wanted = 0
        for x, y, b in zip(enrol[i], test[j], between, strict=True):
            joint = multivariate_normal([0, 0], [[b + 1, b], [b, b + 1]]).logpdf([x, y])
            wanted += joint - norm.logpdf([x, y], scale=np.sqrt(b + 1)).sum()
        assert found[i, j] == pytest.approx(wanted)


def test_views_of_one_performance_are_no_trial() -> None:
    embeddings = np.eye(4)
    trials = make_trials(
        embeddings,
        embeddings,
        list('aabb'),
        list('aabb'),
        groups_E=list('1234'),
        groups_T=list('1234'),
    )
    assert len(trials.scores_N) == 12
    with pytest.raises(ValueError, match='got 0 and 2: enrol each tested person in another'):
        make_trials(np.eye(2), np.eye(2), [*'ab'], [*'ab'], groups_E=[1, 2], groups_T=[1, 2])


def test_figures_of_verify_are_those_of_the_scores() -> None:
    embeddings, persons = clips(8, 6, 1.0)
    trials = make_trials(embeddings[::2], embeddings[1::2], persons[::2], persons[1::2])
    found = verify([trials], draws=200)
    same = trials.enrolled_N == trials.tested_N
    kinds = trials.scores_N[same], trials.scores_N[~same]
    assert found.eer.value == pytest.approx(equal_error_rate(*kinds))
    assert found.min_cllr.value == pytest.approx(min_cllr(*kinds))
    assert (found.people, found.genuine, found.impostor) == (8, 72, 504)
    assert found.eer.interval.low < found.eer.value < found.eer.interval.high
    assert found == verify([trials], draws=200)
    assert type(found).from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_matchers_are_averaged_and_not_pooled() -> None:
    """Two that separate, on scales that would not in one heap."""
    good = Trials(np.array([1.0, 0, 0, 1]), np.array(list('aabb')), np.array(list('abab')))
    high = Trials(good.scores_N + 10, good.enrolled_N, good.tested_N)
    assert verify([good, high], draws=50).eer.value == 0


@pytest.mark.parametrize('clips_of_each', [3, 60])
def test_people_drawn_twice_count_as_their_pairs_would(clips_of_each: int) -> None:
    """Against the list of trials written out; with 60 clips neighbouring scores share bins."""
    persons = np.repeat([0, 1, 2, 3], clips_of_each)
    enrol, test = persons[:, None] / 2 + np.random.default_rng(0).normal(size=(2, len(persons), 3))
    trials = make_trials(enrol, test, persons, persons)
    times = np.array([2, 1, 0, 3])
    found = _resampled(trials, np.arange(4), times[None])[0]
    same = trials.enrolled_N == trials.tested_N
    first, second = times[trials.enrolled_N], times[trials.tested_N]
    genuine = np.repeat(trials.scores_N[same], first[same])
    impostor = np.repeat(trials.scores_N[~same], (first * second)[~same])
    wanted = equal_error_rate(genuine, impostor), min_cllr(genuine, impostor)
    assert found == pytest.approx(wanted, abs=1e-9 if clips_of_each == 3 else 2e-3)


def test_scores_of_chance_are_not_shown_to_tell_anything() -> None:
    rng, covered = np.random.default_rng(3), 0
    persons = np.repeat(np.arange(10), 6)
    for run in range(40):
        noise = rng.normal(size=(2, 60, 4))
        interval = verify([make_trials(*noise, persons, persons)], draws=100, seed=run).eer.interval
        covered += interval.low <= 0.5 <= interval.high
    assert covered / 40 >= 0.85


def test_interval_over_people_covers_the_truth() -> None:
    """The truth: many people of the same kind. Each set has twelve of its own."""
    many, persons = clips(150, 4, 0.8, same=1)
    truth = verify([make_trials(many[::2], many[1::2], persons[::2], persons[1::2])], draws=2)
    covered = 0
    for run in range(60):
        few, persons = clips(12, 4, 0.8, seed=run, same=run + 2)
        trials = make_trials(few[::2], few[1::2], persons[::2], persons[1::2])
        interval = verify([trials], draws=100, seed=run).eer.interval
        covered += interval.low <= truth.eer.value <= interval.high
    assert covered / 60 >= 0.8


def test_draws_of_one_person_are_left_out() -> None:
    embeddings, persons = clips(2, 4, 0.3)
    found = verify([make_trials(embeddings, embeddings, persons, persons)], draws=200)
    assert 0 <= found.eer.interval.low <= found.eer.interval.high <= 1
    assert '200 draws' not in found.eer.interval.method


def test_there_must_be_trials() -> None:
    with pytest.raises(ValueError, match='no trials'):
        verify([])
