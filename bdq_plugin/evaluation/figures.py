"""From a network's answers to the figures of a result, and the headline over the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .attackers import Attack
from .scores import (
    attribute_chance,
    class_mean_average_precision,
    frame_hits,
    macro_f1,
    majority_share,
    vote,
)
from .statistics import bootstrap_interval, wilson_interval

CAVEAT = (
    'The maximum over the panel on the test clips: picking the best attacker by its test figure '
    'errs upwards for this panel, and a better attacker than these may recognise more.'
)


def describe(
    attack: Attack,
    train_truth: np.ndarray,
    test_truth: np.ndarray,
    groups: Sequence[str],
    learned_from: float,
) -> dict[str, Any]:
    """Figures of one network, with what knowing nothing scores beside them.

    Args:
        attack: its answers.
        train_truth, test_truth: labels (N,), or attributes (N, K).
        groups: the performance of each test clip.
        learned_from: share of its training clips that a network must be right on to count as one
            that learned (for attributes: cMAP on them).

    Returns:
        JSON-ready figures, all shares in [0, 1]. ``figure`` names the clip-level one that counts:
        ``vote_top1`` where the network answers for each frame, ``clip_top1`` where it answers for
        the clip, ``cmap`` for attributes.
    """
    if test_truth.ndim == 2:
        figures = _attribute_figures(attack, train_truth, test_truth, groups)
    else:
        figures = _class_figures(attack, train_truth, test_truth, groups)
    figures['learned'] = bool(figures['train_accuracy'] >= learned_from)
    figures['above_chance'] = bool(
        figures['interval']['low'] > max(figures['chance'], figures['majority'])
    )
    return {**figures, 'extras': _rounded(attack.extras)}


def answers(attack: Attack, test_truth: np.ndarray) -> dict[str, Any]:
    """What must be kept of the test clips so that folds can be pooled exactly."""
    votes = vote(attack.test)
    if test_truth.ndim == 2:
        return {'scores': np.round(votes, 4).tolist()}
    frames = attack.test.shape[1]
    kept: dict[str, Any] = {'predicted': votes.argmax(1).tolist(), 'frames': frames}
    if frames > 1:
        hits = frame_hits(attack.test, test_truth) * frames
        kept['right_frames'] = np.rint(hits).astype(int).tolist()
    return kept


def headline(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the encoder leaks: the maximum over the attackers.

    A weak attacker that did recognise people counts; one that never learned its training clips
    says nothing about privacy. Where none learned, no figure is evidence of privacy.

    Args:
        records: figures of each attacker, by name.
    """
    best = max(records, key=lambda name: records[name][records[name]['figure']])
    figures = records[best]
    learned = [name for name, record in records.items() if record['learned']]
    value, interval = figures[figures['figure']], figures['interval']
    text = (
        f'{figures["figure"]} {value:.1%} by {best} ({interval["low"]:.1%} to '
        f'{interval["high"]:.1%}, {interval["method"]}); chance {figures["chance"]:.1%}, majority '
        f'{figures["majority"]:.1%}'
    )
    if not learned:
        text += '; no attacker learned: no evidence of privacy'
    return {
        'network': best,
        'figure': figures['figure'],
        'value': value,
        'interval': interval,
        'chance': figures['chance'],
        'majority': figures['majority'],
        'above_chance': figures['above_chance'],
        'learned': learned,
        'evidence_of_privacy': bool(learned),
        'text': text,
        'caveat': CAVEAT,
    }


def _class_figures(
    attack: Attack, train_truth: np.ndarray, test_truth: np.ndarray, groups: Sequence[str]
) -> dict[str, Any]:
    per_frame = attack.test.shape[1] > 1
    figure = 'vote_top1' if per_frame else 'clip_top1'
    hits = vote(attack.test).argmax(1) == test_truth
    figures: dict[str, Any] = {
        'figure': figure,
        figure: float(hits.mean()),
        'interval': wilson_interval(int(hits.sum()), len(hits)).to_dict(),
        'cluster_interval': _mean_interval(hits, groups),
    }
    if per_frame:
        right = frame_hits(attack.test, test_truth)
        figures['frame_top1'] = float(right.mean())
        figures['frame_interval'] = _mean_interval(right, groups)
        figures['train_frame_top1'] = float(frame_hits(attack.train, train_truth).mean())
    figures['train_accuracy'] = float((vote(attack.train).argmax(1) == train_truth).mean())
    figures['chance'] = 1 / attack.test.shape[2]
    figures['majority'] = majority_share(test_truth)
    return _rounded(figures)


def _attribute_figures(
    attack: Attack, train_truth: np.ndarray, test_truth: np.ndarray, groups: Sequence[str]
) -> dict[str, Any]:
    scores, chance = vote(attack.test), attribute_chance(test_truth)
    interval = bootstrap_interval(
        lambda index: class_mean_average_precision(scores[index], test_truth[index]), groups
    )
    return _rounded(
        {
            'figure': 'cmap',
            'cmap': class_mean_average_precision(scores, test_truth),
            'interval': interval.to_dict(),
            'macro_f1': macro_f1(scores, test_truth),
            'train_accuracy': class_mean_average_precision(vote(attack.train), train_truth),
            'chance': chance['cmap'],
            'majority': chance['cmap'],
            'chance_macro_f1': chance['macro_f1'],
        }
    )


def _mean_interval(values: np.ndarray, groups: Sequence[str]) -> dict[str, Any]:
    return bootstrap_interval(lambda index: float(values[index].mean()), groups).to_dict()


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Floats to six digits: the rest is noise of the summation."""
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in figures.items()}
