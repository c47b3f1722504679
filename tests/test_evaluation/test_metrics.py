import pytest
import torch
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator


def sample(**fields: torch.Tensor) -> ActionDataSample:
    data_sample = ActionDataSample()
    for name, value in fields.items():
        data_sample.set_field(value, name)
    return data_sample


def evaluate(metric: str, samples: list[ActionDataSample]) -> dict[str, float]:
    evaluator = Evaluator([METRICS.build(dict(type=metric))])
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def test_privacy_figures() -> None:
    torn = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])
    figures = evaluate(
        'PrivacyAccMetric',
        [
            sample(gt_subject=torch.tensor([0]), pred_subject_score=torn),
            sample(gt_subject=torch.tensor([1]), pred_subject_score=torch.eye(3)[[1, 1, 1]]),
            sample(gt_subject=torch.tensor([1]), pred_subject_score=torch.eye(3)[[0, 0, 0]]),
        ],
    )
    assert figures == pytest.approx(
        {
            'privacy/frame_top1': 5 / 9,
            'privacy/vote_top1': 1 / 3,
            'privacy/chance': 1 / 3,
            'privacy/majority': 2 / 3,
        }
    )


@pytest.mark.parametrize('shape', [(1, 2), (2,)])
def test_a_score_for_the_whole_clip_is_one_frame(shape: tuple[int, ...]) -> None:
    score = torch.tensor([0.1, 0.9]).reshape(shape)
    figures = evaluate(
        'PrivacyAccMetric', [sample(gt_subject=torch.tensor([1]), pred_subject_score=score)]
    )
    assert figures['privacy/frame_top1'] == figures['privacy/vote_top1'] == 1


def test_frames_weigh_alike_where_clips_differ_in_length() -> None:
    figures = evaluate(
        'PrivacyAccMetric',
        [
            sample(gt_subject=torch.tensor([0]), pred_subject_score=torch.eye(2)[[0, 0, 0]]),
            sample(gt_subject=torch.tensor([0]), pred_subject_score=torch.eye(2)[[1]]),
        ],
    )
    assert figures['privacy/frame_top1'] == 0.75


def test_unknown_subject_and_missing_scores_are_named() -> None:
    with pytest.raises(ValueError, match='num_classes'):
        evaluate(
            'PrivacyAccMetric',
            [sample(gt_subject=torch.tensor([5]), pred_subject_score=torch.rand(2, 3))],
        )
    with pytest.raises(ValueError, match='pred_subject_score'):
        evaluate('PrivacyAccMetric', [sample(gt_subject=torch.tensor([0]))])


def test_attribute_figures_on_a_small_multi_label_set() -> None:
    truth = torch.tensor([[1, 0], [1, 1], [0, 1], [0, 0]])
    scores = torch.tensor([[0.9, 0.2], [0.8, 0.7], [0.3, 0.4], [0.1, 0.6]])
    figures = evaluate(
        'AttributeMetric',
        [
            sample(gt_attributes=t, pred_attribute_score=s)
            for t, s in zip(truth, scores, strict=True)
        ],
    )
    # Second attribute: positives at ranks 1 and 3; F1 of one hit, one miss, one false alarm.
    assert figures == pytest.approx(
        {
            'privacy/cmap': (1 + (1 + 2 / 3) / 2) / 2,
            'privacy/macro_f1': (1 + 0.5) / 2,
            'privacy/chance_cmap': 0.5,
            'privacy/chance_macro_f1': 2 / 3,
        }
    )


def test_attribute_counts_must_agree() -> None:
    with pytest.raises(ValueError, match='num_classes to 2'):
        evaluate(
            'AttributeMetric',
            [sample(gt_attributes=torch.ones(2), pred_attribute_score=torch.rand(3))],
        )
