"""Sums over linked clips, against what independent evidence must give."""

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import norm

from bdq_plugin.evaluation.statistics import accumulate, most_linkable


def answers(people: int, clips: int, strata: int, strength: float, seed: int = 0):
    """Log-likelihoods of clips that lie around their person's own axis, one model a stratum."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.arange(people), clips), strata)
    seen = strength * np.eye(people)[labels] + rng.normal(size=(len(labels), people))
    return log_softmax(strength * seen, 1), labels, np.repeat(np.arange(strata), people * clips)


def test_k_clips_of_two_people_are_as_one_of_k_times_the_evidence() -> None:
    """Two Gaussians a distance d apart: accuracy Phi(sqrt(k) d / 2), with d = sqrt(2) strength."""
    found = accumulate(*answers(2, 12, 150, 0.5), (1, 4, 12), draws=100)
    wanted = [norm.cdf(np.sqrt(2 * k) * 0.5 / 2) for k in (1, 4, 12)]
    assert [row.value for row in found] == pytest.approx(wanted, abs=0.02)


def test_one_clip_is_the_plain_accuracy() -> None:
    log_probs, labels, strata = answers(10, 12, 3, 1.0)
    (found,) = accumulate(log_probs, labels, strata, (1,))
    assert found.value == pytest.approx((log_probs.argmax(1) == labels).mean())
    assert found.interval.low < found.value < found.interval.high


def test_linking_helps_and_the_interval_is_over_people() -> None:
    found = accumulate(*answers(10, 12, 3, 1.0))
    assert [row.clips for row in found] == [1, 2, 4, 8, 12]
    values = [row.value for row in found]
    assert values == sorted(values) and values[-1] > values[0] + 0.3
    assert 'over 10 people' in found[0].interval.method
    assert found == accumulate(*answers(10, 12, 3, 1.0))


def test_at_chance_without_a_signal() -> None:
    """Nothing to sum: of a model that answers nothing for anyone, and of one that guesses."""
    constant, labels, strata = answers(10, 12, 3, 1.0)
    (silent,) = accumulate(np.zeros_like(constant), labels, strata, (12,))
    assert silent.value == pytest.approx(0.1)
    assert silent.interval.low <= 0.1 <= silent.interval.high
    guesses = np.random.default_rng(1).normal(size=constant.shape)
    (guessed,) = accumulate(guesses, labels, strata, (4,))
    assert guessed.interval.low <= 0.1 <= guessed.interval.high


def test_models_are_never_mixed() -> None:
    """Each model alone is right; one is so loud that in a sum it would shout the other down."""
    labels, strata = np.array([0, 0, 1, 1] * 2), np.repeat(['a', 'b'], 4)
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]])
    loud = 50 * log_probs[:, ::-1]
    found = accumulate(np.r_[log_probs, loud], labels, strata, (2,))[0]
    assert found.value == 0.5


def test_many_clips_are_sampled_by_the_seed() -> None:
    data = answers(2, 40, 1, 0.3)
    first, again, other = (accumulate(*data, (8,), seed=s)[0].value for s in (0, 0, 1))
    assert first == again != other
    assert first == pytest.approx(other, abs=0.08)


def test_whom_the_data_cannot_link() -> None:
    log_probs, labels, strata = answers(3, 4, 2, 1.0)
    keep = np.arange(len(labels)) != 0
    assert most_linkable(labels, strata) == 4
    assert most_linkable(labels[keep], strata[keep]) == 3
    with pytest.raises(ValueError, match=r'cannot link \[1, 4\] clips: a person has 3 under one'):
        accumulate(log_probs[keep], labels[keep], strata[keep], (1, 4))


@pytest.mark.parametrize(
    ('log_probs', 'labels', 'message'),
    [
        (np.zeros((2, 2)), [0], r'got \(2, 2\) and \(1,\)'),
        (np.array([[0, -np.inf], [-0.7, -0.7]]), [0, 1], 'take log_softmax'),
        (np.zeros((2, 2)), [0, 2], 'whole numbers from 0 to 1'),
        (np.zeros((2, 2)), [0.0, 1.0], 'whole numbers from 0 to 1'),
        (np.zeros((2, 2)), [0, 0], 'two of them or more'),
    ],
)
def test_bad_answers(log_probs, labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        accumulate(log_probs, labels, ['f'] * len(labels), (1,))
