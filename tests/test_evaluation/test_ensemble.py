"""The pool is the log-linear one, and weighs what helps."""

import numpy as np
import pytest
from scipy.special import log_softmax

from bdq_plugin.evaluation.audit import choose, pool_members
from bdq_plugin.evaluation.ensemble import combine, fit_weights, held_out_loss
from bdq_plugin.evaluation.members import describe_scores


def answers(sharpness: float, count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of four classes that are calibrated at sharpness 1, and the truth."""
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(1.5 * rng.standard_normal((count, 4)), 1)
    truth = np.array([rng.choice(4, p=np.exp(row)) for row in log_probs])
    return sharpness * log_probs, truth


def test_combine_is_the_product_of_powers() -> None:
    scores = np.log([[[0.5, 0.5]], [[0.8, 0.2]]])
    pooled = np.exp(combine(scores, np.array([1.0, 2.0])))
    np.testing.assert_allclose(pooled, [[0.64 / 0.68, 0.04 / 0.68]])
    np.testing.assert_allclose(combine(scores, np.array([1.0, 1.0]), True), scores.sum(0))


def test_one_member_is_brought_to_its_temperature() -> None:
    scores, truth = answers(sharpness=4.0)
    weight = fit_weights(scores[None], truth)
    assert weight[0] == pytest.approx(0.25, abs=0.04)
    calm, _ = answers(sharpness=1.0)
    assert held_out_loss(scores, truth) == pytest.approx(held_out_loss(calm, truth), abs=0.01)


def test_who_knows_nothing_gets_no_weight() -> None:
    scores, truth = answers(sharpness=1.0)
    noise = log_softmax(np.random.default_rng(1).standard_normal(scores.shape), 1)
    weights = fit_weights(np.stack([scores, noise]), truth)
    assert weights[0] == pytest.approx(1.0, abs=0.2) and weights[1] < 0.1


def test_attributes_are_weighed_by_their_own_loss() -> None:
    rng = np.random.default_rng(0)
    odds = rng.standard_normal((800, 3))
    truth = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    assert fit_weights(3 * odds[None], truth)[0] == pytest.approx(1 / 3, abs=0.06)


def test_calibration_changes_no_answer() -> None:
    # Held-out answers that are wrong on purpose: no weight would be best for them.
    held_out, truth = answers(sharpness=1.0)
    record = describe_scores(held_out[:, None], -held_out, truth)
    np.testing.assert_array_equal(np.argmax(record['scores'], 1)[:20], held_out.argmax(1)[:20])


def test_the_ensemble_pools_what_the_records_hold() -> None:
    held_out, truth = answers(sharpness=1.0)
    other, _ = answers(sharpness=1.0, seed=0)
    noise = log_softmax(np.random.default_rng(1).standard_normal(other.shape), 1)
    members = dict(good=held_out, weak=0.5 * other + 0.5 * noise)
    records = {
        name: describe_scores(scores[:, None], scores, truth)
        | dict(target='identity', converged=True, train_accuracy=1.0)
        for name, scores in members.items()
    }
    pooled = pool_members(records, members, truth)
    weights = fit_weights(np.stack(list(members.values())), truth)
    expected = combine(np.stack(list(members.values())), weights)
    np.testing.assert_allclose(pooled['scores'], expected, atol=0.01)
    records['ensemble'] = pooled
    assert choose(records) in ('good', 'ensemble')
