"""Bounds of randomised response against enumeration, and against attackers who know everything."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from bdq_plugin.evaluation.statistics import (
    capacity_bits,
    equal_error_rate,
    most_accuracy,
    pair_error,
    pair_error_gaussian,
    privacy_loss,
)
from bdq_plugin.randomized_response import draw_words, respond

CASES = [(0.1, 2), (0.3, 2), (0.49, 2), (0.2, 3), (0.6, 3), (0.7, 5)]


def channel(flip: float, levels: int) -> np.ndarray:
    """Probabilities of what is sent (columns) for each code (rows)."""
    matrix = np.full((levels, levels), flip / (levels - 1))
    np.fill_diagonal(matrix, 1 - flip)
    return matrix


def outcomes(codes: tuple[int, ...], flip: float, levels: int) -> np.ndarray:
    """Probability of everything that may be sent for a clip, K^n of them."""
    matrix, likely = channel(flip, levels), np.ones(1)
    for code in codes:
        likely = np.outer(likely, matrix[code]).ravel()
    return likely


def information(likely_KX: np.ndarray) -> float:
    """Mutual information of equally likely rows and what is sent, in bits."""
    mean = likely_KX.mean(0)
    return float((likely_KX * np.log2(likely_KX / mean)).sum() / len(likely_KX))


@pytest.mark.parametrize(('flip', 'levels'), CASES)
@pytest.mark.parametrize('differing', [0, 1, 2, 3, 5])
def test_no_test_between_two_clips_is_better_and_one_is_as_good(flip, levels, differing) -> None:
    same = (1, 0)
    first, second = same + (0,) * differing, same + (1,) * differing
    distance = np.abs(outcomes(first, flip, levels) - outcomes(second, flip, levels)).sum() / 2
    # The least mean of the two errors, of all tests; here they are equal.
    assert pair_error(differing, flip, levels) == pytest.approx((1 - distance) / 2, abs=1e-12)


@pytest.mark.parametrize(('flip', 'levels', 'differing'), [(0.4, 2, 61), (0.6, 3, 90)])
def test_an_attacker_who_knows_both_clips_reaches_the_bound_and_no_less(
    flip, levels, differing
) -> None:
    clips, trials = np.random.default_rng(0).integers(0, levels, (2, 300)), 4000
    clips[1, differing:] = clips[0, differing:]
    clips[1, :differing] = (clips[0, :differing] + 1) % levels
    logs, places = np.log(channel(flip, levels)), np.arange(300)
    scores = []
    for clip in clips:
        shape = (trials, len(clip))
        sent = respond(np.broadcast_to(clip, shape), draw_words(shape), flip, levels)
        ratios = logs[clips[0], sent] - logs[clips[1], sent]
        scores.append([ratios.sum(1), ratios[:, places % 2 == 0].sum(1)])
    (genuine, half), (impostor, half_too) = scores
    bound = pair_error(differing, flip, levels)
    # Ties are decided by a coin, which ROC interpolation does as well.
    assert equal_error_rate(genuine, impostor) == pytest.approx(bound, abs=0.025)
    assert equal_error_rate(half, half_too) > bound + 0.02
    assert 0.05 < bound < 0.4


@pytest.mark.parametrize(('flip', 'levels'), CASES)
def test_codes_of_people_tell_no_more_than_the_bound(flip, levels) -> None:
    rng, length, people = np.random.default_rng(0), 4, 3
    for _ in range(3):
        clips = [tuple(rng.integers(0, levels, length)) for _ in range(people)]
        likely = np.stack([outcomes(clip, flip, levels) for clip in clips])
        bits, most = information(likely), length * capacity_bits(flip, levels)
        assert 0 <= bits <= most + 1e-12
        # The best guess there is, of an attacker who knows all but the draws.
        named = likely.max(0).sum() / people
        assert named <= most_accuracy(bits, people) + 1e-9
        assert most_accuracy(bits, people) <= most_accuracy(most, people)
    # It is reached: by clips that are all the codes that there are.
    every = [outcomes(clip, flip, levels) for clip in product(range(levels), repeat=2)]
    assert information(np.stack(every)) == pytest.approx(2 * capacity_bits(flip, levels))


@pytest.mark.parametrize(('flip', 'levels'), CASES)
def test_what_is_sent_has_the_information_that_is_stated(flip, levels) -> None:
    count = 200_000
    codes = np.arange(count) % levels
    sent = respond(codes, draw_words(codes.shape), flip, levels)
    joint = np.bincount(codes * levels + sent, minlength=levels**2).reshape(levels, levels)
    found = information(joint / joint.sum(1, keepdims=True))
    assert found == pytest.approx(capacity_bits(flip, levels), abs=0.01)


@pytest.mark.parametrize(('flip', 'levels'), CASES)
def test_privacy_loss_is_the_greatest_ratio(flip, levels) -> None:
    matrix = channel(flip, levels)
    greatest = np.log(matrix.max(0) / matrix.min(0)).max()
    assert privacy_loss(flip, levels) == pytest.approx(greatest)


def test_many_codes_as_the_central_limit_theorem_says() -> None:
    differing, flip = 20_000, 0.49
    mu = np.sqrt(differing) * (1 - 2 * flip) / np.sqrt(flip * (1 - flip))
    assert pair_error_gaussian(differing, flip) == pytest.approx(norm.cdf(-mu / 2))
    for levels, flip in ((2, 0.49), (3, 0.66), (5, 0.795)):
        exact = pair_error(differing, flip, levels)
        assert exact == pytest.approx(pair_error_gaussian(differing, flip, levels), rel=0.01)
        assert 0 < exact < 0.4
    # A day of a camera, and no overflow.
    assert pair_error(10**8, 0.45, 3) == 0


def test_the_ends() -> None:
    for levels in (2, 3, 5):
        nothing = 1 - 1 / levels
        assert capacity_bits(nothing, levels) == pytest.approx(0, abs=1e-12)
        assert privacy_loss(nothing, levels) == pytest.approx(0, abs=1e-12)
        assert pair_error(50, nothing, levels) == pytest.approx(0.5)
        assert pair_error_gaussian(50, nothing, levels) == pytest.approx(0.5)
        assert capacity_bits(0, levels) == pytest.approx(np.log2(levels))
        assert privacy_loss(0, levels) == float('inf')
        assert pair_error(1, 0, levels) == pair_error_gaussian(1, 0, levels) == 0
        assert pair_error(0, 0, levels) == pair_error_gaussian(0, 0, levels) == 0.5
    assert most_accuracy(0, 6) == pytest.approx(1 / 6) and most_accuracy(2.6, 6) == 1
    # As for a symmetric channel, which Fano's inequality describes.
    assert most_accuracy(capacity_bits(0.3, 6), 6) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ('call', 'match'),
    [
        (lambda: capacity_bits(0.6), 'from 0 to 0.5'),
        (lambda: pair_error(-1, 0.1), '0 codes or more'),
        (lambda: pair_error_gaussian(-1, 0.1), '0 codes or more'),
        (lambda: most_accuracy(1, 1), '2 classes or more'),
        (lambda: most_accuracy(float('nan'), 3), 'bits are 0 or more'),
    ],
)
def test_mistakes(call, match) -> None:
    with pytest.raises(ValueError, match=match):
        call()
