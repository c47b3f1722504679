"""What randomised response leaves: bounds and attacks beside each other, for several probabilities.

For each probability q of replacing a code, the template attacker learns the people and, likewise,
the actions from codes of fresh draws, and is asked for the one draw of each test clip that left the
camera. Beside it stands what no attacker and no recogniser can exceed
(:mod:`.statistics.certificate`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..encoders import ClipEncoder
from ..markdown import table
from ..randomized_response import check_flip
from .attackers.base import TARGETS, normalized
from .clips import Fold
from .encodings import encode
from .members import build_attacker, run_member
from .overview import LINKED
from .settings import Data
from .statistics import (
    accumulate,
    capacity_bits,
    information_bits,
    most_accuracy,
    most_linkable,
    pair_error,
    person_interval,
)
from .studies import Arrays, Measure
from .tables import listed, percent

KIND = 'randomized_response'
# At a half codes are a coin: whatever is found there is told by the length of the clips.
FLIPS = (0.0, 0.1, 0.25, 0.375, 0.45, 0.475, 0.5)
EVERY = 8


def measure(
    flips: Sequence[float] = FLIPS,
    every: int = EVERY,
    encodings: int = 3,
    families: Sequence[str] | None = None,
) -> Measure:
    """How the study is done.

    Args:
        flips: probabilities q.
        every: each n-th frame alone is encoded, for bounds count codes.
        encodings: draws of each training clip.
        families: of features; None for all.
    """
    settings = dict(flips=list(flips), every=every, encodings=encodings, families=families)

    def fold(loaded: Fold, encoder: ClipEncoder, data: Data) -> Arrays:
        sampling = replace(data.sampling, every=every, encodings=encodings, draws=1)
        return measure_fold(loaded, encoder, replace(data, sampling=sampling), flips, families)

    return Measure(fold, summary, settings)


def with_flip(encoder: ClipEncoder, flip: float) -> ClipEncoder:
    """The same encoder with another probability.

    Raises:
        ValueError: it has no whole levels in a fixed range, or no such probability.
    """
    if not getattr(encoder, 'streamable', False) or encoder.quantize.mode != 'hard':
        raise ValueError(
            'randomised response is of whole levels in a range that no clip changes: choose an '
            "encoder with mode='hard' and range='fixed', such as blocks"
        )
    check_flip(flip, encoder.quantize.num_levels)
    other = copy.deepcopy(encoder)
    other.flip = other.config['flip'] = float(flip)
    return other


def measure_fold(
    fold: Fold,
    encoder: ClipEncoder,
    data: Data,
    flips: Sequence[float],
    families: Sequence[str] | None = None,
) -> Arrays:
    """Answers for the test clips at each probability.

    Returns:
        ``flips`` (F,), ``num_levels`` (), ``codes`` (N,): how many each test clip has;
        ``identity_scores`` (F, N, K) and ``action_scores`` (F, N, A): calibrated log-probabilities;
        ``identity``, ``action`` (N,): the truth; ``persons``, ``groups`` (N,).

    Raises:
        ValueError: attributes, or an encoder without whole levels.
    """
    if fold.train.identities.ndim == 2:
        raise ValueError('this study is of people, not of attributes')
    outputs = {target: len(fold.names(target)) for target in TARGETS}
    scores: dict[str, list[Any]] = {target: [] for target in TARGETS}
    for flip in flips:
        randomized = with_flip(encoder, flip)
        train, test = (
            encode(clips, randomized, data.sampling, data.mean, data.std, training=training)
            for clips, training in ((fold.train, True), (fold.test, False))
        )
        for target in TARGETS:
            config = dict(type='TemplateAttacker', target=target, families=families)
            build = partial(build_attacker, 'template', config, outputs)
            scores[target].append(run_member(build, train, test)[0]['scores'])
    return dict(
        flips=np.array(flips),
        num_levels=np.array(encoder.quantize.num_levels),
        codes=np.array([encodings[0].numel() for encodings in test.values]),
        persons=np.array(test.persons),
        groups=np.array(test.groups),
        **{f'{target}_scores': np.array(scores[target]) for target in TARGETS},
        **{target: test.target(target).numpy() for target in TARGETS},
    )


def summary(folds: Mapping[int, Arrays]) -> dict[str, Any]:
    """A point for each probability: the bounds, what was measured, and the answers behind it."""
    first = next(iter(folds.values()))
    joined = {
        name: np.concatenate([arrays[name] for arrays in folds.values()])
        for name in ('codes', 'persons', 'groups', *TARGETS)
    }
    strata = np.repeat(list(folds), [len(arrays['codes']) for arrays in folds.values()])
    scores = {
        target: np.concatenate([arrays[f'{target}_scores'] for arrays in folds.values()], 1)
        for target in TARGETS
    }
    levels, points = int(first['num_levels']), []
    for row, flip in enumerate(first['flips'].tolist()):
        codes, (people, actions) = joined['codes'], (scores[t].shape[2] for t in TARGETS)
        bits = float(codes.mean() * capacity_bits(flip, levels))
        point: dict[str, Any] = dict(
            flip=flip,
            bits_at_most=round(bits, 4),
            person_at_most=round(most_accuracy(bits, people), 4),
            action_at_most=round(most_accuracy(bits, actions), 4),
            pair_error_at_least=round(pair_error(int(codes.max()), flip, levels), 4),
        )
        for target in TARGETS:
            hits = scores[target][row].argmax(1) == joined[target]
            interval = person_interval(hits, joined['persons'], joined['groups'])
            point[target] = dict(value=round(float(hits.mean()), 4), interval=interval.to_dict())
        point['bits'] = _bits(scores['identity'][row], joined)
        if most_linkable(joined['identity'], strata) >= LINKED:
            answers = scores['identity'][row]
            (linked,) = accumulate(answers, joined['identity'], strata, (LINKED,))
            point['linked'] = linked.to_dict()
            point['linked_at_most'] = round(most_accuracy(LINKED * bits, people), 4)
        points.append(point)
    return dict(
        num_levels=levels,
        codes=round(float(joined['codes'].mean()), 2),
        people=people,
        actions=actions,
        points=points,
        answers={
            **{name: joined[name].tolist() for name in joined},
            **{f'{target}_scores': np.round(scores[target], 3).tolist() for target in TARGETS},
        },
    )


def _bits(scores: np.ndarray, joined: Mapping[str, np.ndarray]) -> float:
    found = information_bits(normalized(scores), joined['identity'], joined['groups'])
    return round(found.value, 4)


def randomized_response_table(documents: Sequence[dict[str, Any]]) -> str:
    """Rows of encoders and probabilities: what was measured beside what is possible at most."""
    if not documents:
        return 'No results yet.\n'
    head = ['encoder', 'codes a clip', 'replaced', 'bits a clip, at most', 'action', 'at most']
    head += ['person', 'at most', f'{LINKED} linked', 'at most', 'EER of two given clips, at least']
    rows = []
    for document in documents:
        for point in document['points']:
            linked = point.get('linked')
            rows.append(
                [
                    document['study']['encoder'],
                    f'{document["codes"]:.0f}',
                    percent(point['flip']),
                    f'{point["bits_at_most"]:.3g}',
                    _measured(point['action']),
                    percent(point['action_at_most']),
                    _measured(point['identity']),
                    percent(point['person_at_most']),
                    '' if linked is None else percent(linked['value']),
                    '' if linked is None else percent(point['linked_at_most']),
                    percent(point['pair_error_at_least']),
                ]
            )
    first = documents[0]
    folds = sorted({fold for document in documents for fold in document['folds']})
    note = (
        'In %, measured by the template attacker that learns from fresh draws, with 95 % intervals '
        'by resampling people and their performances; at most: what no attacker and no recogniser '
        f'can exceed on average, of {first["people"]} people and {first["actions"]} actions that '
        'are equally likely, from the codes. The length of a clip tells something beside them, and '
        'is all that is left at 0 bits. Replaced: codes for which another level is sent. EER: '
        f'where all codes of the longest clip differ. Folds: {listed(folds)}.'
    )
    return f'{table(head, rows)}\n\n{note}\n'


def _measured(figure: dict[str, Any]) -> str:
    low, high = (percent(figure['interval'][end]) for end in ('low', 'high'))
    return f'{percent(figure["value"])} ({low} to {high})'
