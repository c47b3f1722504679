"""Scores of predictions, as pure functions of NumPy arrays.

Legend: N clips, T frames of a clip, K classes or attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def majority_share(labels_N: np.ndarray) -> float:
    """Share of the most frequent label: the accuracy of always answering it."""
    return float(np.unique(labels_N, return_counts=True)[1].max() / len(labels_N))


def frame_hits(probabilities_NTK: Sequence[np.ndarray], labels_N: np.ndarray) -> np.ndarray:
    """For each clip the share of its frames whose likeliest class is the clip's label.

    Args:
        probabilities_NTK: for each clip an array (T, K); T may differ between clips.
        labels_N: whole numbers, (N,).

    Returns:
        Float array (N,), in [0, 1]. Its mean is the paper's privacy figure.
    """
    return np.array(
        [
            (clip_TK.argmax(1) == label).mean()
            for clip_TK, label in zip(probabilities_NTK, labels_N, strict=True)
        ]
    )


def vote(probabilities_NTK: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each clip's frames' probabilities, (N, K)."""
    return np.stack([clip_TK.mean(0) for clip_TK in probabilities_NTK])


def average_precision(scores_N: np.ndarray, truth_N: np.ndarray) -> float:
    """Area under the precision-recall curve, without interpolation.

    Equal scores count as one threshold, so that constant scores give the share of positives and
    not a figure that depends on the order of the clips.

    Args:
        scores_N: confidence that the attribute is present, (N,).
        truth_N: 0 or 1, (N,).

    Returns:
        A number in [0, 1], or NaN where no clip has the attribute.
    """
    if not truth_N.any():
        return float('nan')
    order = np.argsort(-scores_N, kind='stable')
    scores_N, truth_N = scores_N[order], truth_N[order].astype(float)
    ends = np.append(np.flatnonzero(np.diff(scores_N)), len(scores_N) - 1)
    found = np.cumsum(truth_N)[ends]
    precision = found / (ends + 1)
    recall_steps = np.diff(found, prepend=0.0) / truth_N.sum()
    return float((precision * recall_steps).sum())


def class_mean_average_precision(scores_NK: np.ndarray, truth_NK: np.ndarray) -> float:
    """cMAP: the mean of the attributes' average precisions (VISPR, PA-HMDB51), in [0, 1].

    Attributes that no clip has are left out; NaN where that is all of them.
    """
    values = [average_precision(scores_NK[:, k], truth_NK[:, k]) for k in range(truth_NK.shape[1])]
    return _mean_of_defined(values)


def macro_f1(scores_NK: np.ndarray, truth_NK: np.ndarray, threshold: float = 0.5) -> float:
    """The mean of the attributes' F1 scores, in [0, 1].

    Attributes that no clip has are left out, as by :func:`class_mean_average_precision`.

    Args:
        scores_NK: probabilities, (N, K).
        truth_NK: 0 or 1, (N, K).
        threshold: an attribute is predicted where its probability is at least this.
    """
    predicted, truth = scores_NK >= threshold, truth_NK.astype(bool)
    hits, total = (predicted & truth).sum(0), predicted.sum(0) + truth.sum(0)
    values = [
        2 * hits[k] / total[k] if truth[:, k].any() else float('nan') for k in range(len(total))
    ]
    return _mean_of_defined(values)


def attribute_chance(truth_NK: np.ndarray) -> dict[str, float]:
    """What knowing nothing scores.

    Returns:
        ``cmap``: that of constant scores, the mean share of positives; ``macro_f1``: that of
        always predicting every attribute.
    """
    return {
        'cmap': class_mean_average_precision(np.zeros(truth_NK.shape), truth_NK),
        'macro_f1': macro_f1(np.ones(truth_NK.shape), truth_NK),
    }


def _mean_of_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float('nan')
