"""Privacy metrics for MMAction2's evaluators: who it was, and which attributes he or she has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import Tensor

from .scores import (
    attribute_chance,
    class_mean_average_precision,
    frame_hits,
    macro_f1,
    majority_share,
    vote,
)


@METRICS.register_module()
class PrivacyAccMetric(AccMetric):
    """How often the subject is recognised, with what knowing nothing would score beside it.

    Reads of each data sample ``gt_subject``, a LongTensor (1,), and ``pred_subject_score``, the
    probabilities (T, K) of K subjects for each of T encoded frames, or (K,) or (1, K) for a clip.

    Gives ``frame_top1`` (accuracy of single frames, the mean over all; the paper's figure),
    ``vote_top1`` (accuracy of the mean of a clip's frames' probabilities), ``chance`` (1 / K) and
    ``majority`` (share of the most frequent subject), all in [0, 1].

    People whom the training set does not have cannot be recognised, so a data set that holds some
    (``unseen_subjects`` of its ``metainfo``) is refused, as soon as the evaluator is given it.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, where results of several processes are gathered.
        prefix: stands before the names, ``'privacy'`` by default.

    Raises:
        ValueError: the protocol of the data set defines no identity.

    Example:
        >>> val_evaluator = [dict(type='AccMetric'), dict(type='PrivacyAccMetric')]
    """

    default_prefix = 'privacy'

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__('top_k_accuracy', collect_device, prefix=prefix)

    @AccMetric.dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any]) -> None:
        """Take the data set's ``metainfo``, if identity is defined on it."""
        if unseen := meta.get('unseen_subjects'):
            raise ValueError(
                f"protocol '{meta['protocol']}' evaluates people who are not in train "
                f'({", ".join(unseen)}), so who they are has no figure. Leave PrivacyAccMetric '
                "out: set val_evaluator and test_evaluator to [dict(type='AccMetric', "
                "prefix='action')] in your config, or choose a protocol that has every person on "
                "both sides, such as KTH's 'scenario' or IXMAS's 'take'"
            )
        self._dataset_meta = meta

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each sample's probabilities (T, K) and label."""
        for sample in data_samples:
            probabilities = _read(sample, 'pred_subject_score', 'PrivacyHead')
            label = _read(sample, 'gt_subject', 'PackSubjectInputs')
            probabilities = probabilities.reshape(-1, probabilities.shape[-1])
            if label.size != 1 or not 0 <= label.item() < probabilities.shape[1]:
                raise ValueError(
                    f'gt_subject {label.tolist()} is not one of the {probabilities.shape[1]} '
                    "subjects that were predicted: set the privacy head's num_classes to the "
                    'number of subjects'
                )
            self.results.append(dict(probabilities=probabilities, label=label.item()))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures over all samples."""
        probabilities = [result['probabilities'] for result in results]
        labels = np.array([result['label'] for result in results])
        frames = np.array([len(clip) for clip in probabilities])
        return {
            'frame_top1': float(np.average(frame_hits(probabilities, labels), weights=frames)),
            'vote_top1': float((vote(probabilities).argmax(1) == labels).mean()),
            'chance': 1 / probabilities[0].shape[1],
            'majority': majority_share(labels),
        }


@METRICS.register_module()
class AttributeMetric(BaseMetric):
    """Multi-label attributes (skin colour, face, gender, ...), scored as VISPR and PA-HMDB51 are.

    Reads of each data sample ``gt_attributes``, 0 or 1 for each of K attributes, (K,), and
    ``pred_attribute_score``, their probabilities, (K,) or (T, K) for T frames, which are averaged.

    Gives ``cmap`` (mean over the attributes of the average precision), ``macro_f1`` and, beside
    each, what knowing nothing scores: ``chance_cmap`` (constant scores) and ``chance_macro_f1``
    (every attribute always predicted). Attributes that no sample has are left out of the means.

    Args:
        threshold: probability from which an attribute counts as predicted, for F1.
        collect_device: ``'cpu'`` or ``'gpu'``, where results of several processes are gathered.
        prefix: stands before the names, ``'privacy'`` by default.
    """

    default_prefix = 'privacy'

    def __init__(
        self, threshold: float = 0.5, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < threshold < 1:
            raise ValueError(f'threshold is a probability between 0 and 1, got {threshold}')
        self.threshold = threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each sample's scores and truth, both (K,)."""
        for sample in data_samples:
            scores = _read(sample, 'pred_attribute_score', 'PrivacyHead with attributes=True')
            truth = _read(sample, 'gt_attributes', 'PackSubjectInputs').reshape(-1)
            scores = scores.reshape(-1, scores.shape[-1]).mean(0)
            if scores.shape != truth.shape:
                raise ValueError(
                    f'{len(scores)} attributes were predicted, but gt_attributes has '
                    f"{len(truth)}: set the privacy head's num_classes to {len(truth)}"
                )
            self.results.append(dict(scores=scores, truth=truth))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures over all samples."""
        scores = np.stack([result['scores'] for result in results])
        truth = np.stack([result['truth'] for result in results])
        chance = attribute_chance(truth)
        return {
            'cmap': class_mean_average_precision(scores, truth),
            'macro_f1': macro_f1(scores, truth, self.threshold),
            'chance_cmap': chance['cmap'],
            'chance_macro_f1': chance['macro_f1'],
        }


def _read(sample: dict, key: str, writer: str) -> np.ndarray:
    """A field of a data sample as an array; a clear error where it is not there."""
    if key not in sample:
        raise ValueError(f"a data sample has no '{key}': it comes from {writer}")
    value = sample[key]
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
