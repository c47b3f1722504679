"""Bits against channels whose information is known."""

import numpy as np
import pytest
from scipy.special import log_softmax

from bdq_plugin.evaluation.statistics import fit_temperature, information_bits, temper

PEOPLE = 8


def channel(error: float, scale: float = 1.0, count: int = 2000, seed: int = 0):
    """A symmetric channel's true posteriors, raised to a power as overconfident networks do."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % PEOPLE
    shift = np.where(rng.random(count) < error, rng.integers(1, PEOPLE, count), 0)
    posterior = np.full((count, PEOPLE), error / (PEOPLE - 1))
    posterior[np.arange(count), (labels + shift) % PEOPLE] = 1 - error
    return log_softmax(scale * np.log(posterior), 1), labels


def capacity(error: float) -> float:
    """Bits of a symmetric channel with equally likely people (Cover and Thomas, section 7.2)."""
    return (
        np.log2(PEOPLE) + (1 - error) * np.log2(1 - error) + error * np.log2(error / (PEOPLE - 1))
    )


@pytest.mark.parametrize('error', [0.1, 0.4, 0.7])
@pytest.mark.parametrize('scale', [1 / 4, 1, 5])
def test_noisy_channel_whatever_the_confidence(error: float, scale: float) -> None:
    held_out, test = channel(error, scale, seed=1), channel(error, scale, seed=2)
    temperature = fit_temperature(*held_out)
    assert temperature == pytest.approx(scale, rel=0.1)
    found = information_bits(temper(test[0], temperature), test[1], np.arange(2000), draws=300)
    assert found.value == pytest.approx(capacity(error), abs=0.1)
    assert found.interval.low < capacity(error) < found.interval.high


def test_without_calibration_confidence_would_hide_the_bits() -> None:
    log_probs, labels = channel(0.4, scale=5)
    assert information_bits(log_probs, labels, np.arange(2000), draws=300).value < 0


def test_perfect_answers_give_all_bits() -> None:
    labels = np.arange(400) % PEOPLE
    log_probs = log_softmax(30.0 * np.eye(PEOPLE)[labels], 1)
    calibrated = temper(log_probs, fit_temperature(log_probs, labels))
    found = information_bits(calibrated, labels, np.arange(400))
    assert found.value == pytest.approx(np.log2(PEOPLE), abs=0.01)
    assert found.value <= np.log2(PEOPLE)


def test_one_mistake_after_perfect_training_does_not_cost_everything() -> None:
    labels = np.arange(96) % PEOPLE
    log_probs = log_softmax(30.0 * np.eye(PEOPLE)[labels], 1)
    temperature = fit_temperature(log_probs, labels)
    wrong = np.r_[log_probs[1:2], log_probs[1:]]
    found = information_bits(temper(wrong, temperature), labels, np.arange(96))
    assert found.value > np.log2(PEOPLE) - 0.3


def test_answers_that_know_nothing_give_none() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(480) % PEOPLE
    held_out, test = (log_softmax(3 * rng.normal(size=(480, PEOPLE)), 1) for _ in range(2))
    assert information_bits(test, labels, np.arange(480)).value < -1
    calibrated = temper(test, fit_temperature(held_out, labels))
    assert information_bits(calibrated, labels, np.arange(480)).value == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize('answer', ['constant', 'reversed'])
def test_answers_that_know_less_than_nothing_become_uniform(answer: str) -> None:
    labels = np.arange(80) % PEOPLE
    log_probs = np.zeros((80, PEOPLE)) if answer == 'constant' else -np.eye(PEOPLE)[labels]
    assert fit_temperature(log_probs, labels) == float('inf')
    uniform = temper(log_probs, float('inf'))
    assert information_bits(uniform, labels, np.arange(80)).value == pytest.approx(0)


def test_people_of_unequal_numbers_have_less_to_tell() -> None:
    labels = np.repeat([0, 1], [30, 10])
    perfect = log_softmax(40.0 * np.eye(2)[labels], 1)
    found = information_bits(perfect, labels, np.arange(40))
    assert found.value == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))


def test_bad_answers() -> None:
    with pytest.raises(ValueError, match='must sum to 1: temper the log-probabilities first'):
        information_bits(np.zeros((2, 2)), [0, 1], ['a', 'b'])
    with pytest.raises(ValueError, match='must be finite'):
        fit_temperature([[0.0, -np.inf]], [0])
