import numpy as np
import pytest

from bdq_plugin.evaluation.scores import (
    attribute_chance,
    average_precision,
    class_mean_average_precision,
    frame_hits,
    macro_f1,
    majority_share,
    vote,
)


def test_frame_hits_and_vote_differ() -> None:
    # Two of three frames say class 0, but the third is so sure of class 1 that it wins the vote.
    clip = np.array([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]])
    assert frame_hits([clip], np.array([0]))[0] == pytest.approx(2 / 3)
    assert vote([clip]).argmax(1) == [1]


def test_clips_may_have_different_lengths() -> None:
    clips = [np.eye(2)[[0, 0, 1]], np.eye(2)[[1]]]
    assert frame_hits(clips, np.array([0, 1])) == pytest.approx([2 / 3, 1])


def test_majority() -> None:
    assert majority_share(np.array([4, 4, 4, 7])) == 0.75


def test_average_precision_by_hand() -> None:
    # Positives at ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3.
    scores, truth = np.array([0.9, 0.8, 0.7, 0.6, 0.1]), np.array([1, 0, 1, 1, 0])
    assert average_precision(scores, truth) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


@pytest.mark.parametrize('truth', [[1, 0, 0, 0], [0, 0, 0, 1]])
def test_constant_scores_give_the_prevalence_in_any_order(truth: list[int]) -> None:
    assert average_precision(np.full(4, 0.3), np.array(truth)) == 0.25


def test_cmap_leaves_absent_attributes_out() -> None:
    truth = np.array([[1, 0], [0, 0]])
    assert class_mean_average_precision(np.array([[0.9, 0.1], [0.2, 0.8]]), truth) == 1.0
    assert np.isnan(class_mean_average_precision(np.zeros((2, 1)), np.zeros((2, 1))))


def test_macro_f1_by_hand() -> None:
    truth = np.array([[1, 1], [1, 0], [0, 0]])
    scores = np.array([[0.9, 0.4], [0.1, 0.9], [0.9, 0.1]])
    # First attribute: one hit, one miss, one false alarm; second: no hit at all.
    assert macro_f1(scores, truth) == pytest.approx((0.5 + 0) / 2)


def test_attribute_chance() -> None:
    chance = attribute_chance(np.array([[1], [0], [0], [0]]))
    assert chance['cmap'] == 0.25
    assert chance['macro_f1'] == pytest.approx(2 / 5)
