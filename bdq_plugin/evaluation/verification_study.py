"""Are two clips of one person? Equal error rates of matchers over clear and coded clips.

The clips are described by the hand-made features of the template attacker; see
:mod:`.statistics.matching` for the matchers. Whoever trains a matcher on clear video alone and
tries it on codes proves nothing: it fails on any code, private or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..encoders import ClipEncoder, build_encoder
from .attackers.templates import TemplateAttacker
from .clips import Fold
from .encodings import encode
from .settings import Data
from .statistics import Estimate, Verification
from .statistics.matching import CASES, COMPONENTS, Features, match
from .studies import Arrays, Measure
from .tables import estimate_cell, row_line

KIND = 'verification'
_FORMS = ('clear', 'codes')


def measure(
    components: int = COMPONENTS, unseen_splits: int = 2, families: Sequence[str] | None = None
) -> Measure:
    """How verification is measured.

    Args:
        components: of the matchers' PCA.
        unseen_splits: parts of the people, each of which is left out of training in turn.
        families: of features; None for all.
    """
    settings = dict(components=components, unseen_splits=unseen_splits, families=families)

    def fold(loaded: Fold, encoder: ClipEncoder, data: Data) -> Arrays:
        return describe_fold(loaded, encoder, data, families)

    def summary(folds: Mapping[int, Arrays]) -> dict[str, Any]:
        sides = [
            (_features(arrays, 'train'), _features(arrays, 'test')) for arrays in folds.values()
        ]
        found = match(sides, components=components, unseen_splits=unseen_splits)
        return {'matches': [each.to_dict() for each in found]}

    return Measure(fold, summary, settings)


def describe_fold(
    fold: Fold, encoder: ClipEncoder, data: Data, families: Sequence[str] | None = None
) -> Arrays:
    """Features, persons and performances of the clips of both splits, clear and encoded.

    Returns:
        ``SPLIT_clear`` and ``SPLIT_codes`` (N, D) float32, ``SPLIT_persons`` and ``SPLIT_groups``
        (N,) of text, for the splits ``train`` and ``test``.
    """
    arrays: Arrays = {}
    people = len(fold.identities)
    for form, source in zip(_FORMS, (build_encoder('pass_through'), encoder), strict=True):
        attacker = TemplateAttacker(num_outputs=people, families=families)
        for split, clips, describe in (
            ('train', fold.train, attacker.describe_training),
            ('test', fold.test, attacker.describe),
        ):
            codes = encode(
                clips, source, data.sampling, data.mean, data.std, training=split == 'train'
            ).first_encodings()
            # As it is; the mirrored view is for classifiers.
            views = [x_NVD[:, 0] for x_NVD in describe(codes).values()]
            arrays[f'{split}_{form}'] = np.concatenate(views, 1)
            arrays[f'{split}_persons'] = np.array(clips.persons)
            arrays[f'{split}_groups'] = np.array(clips.groups)
    return arrays


def verifications(document: dict[str, Any]) -> dict[str, Verification]:
    """The matches of a result by a description of matcher, enrolment, trial and people."""
    return {
        f'{_matcher(row)}, {row["enrolled"]} against {row["tested"]}, '
        f'{"people in training" if row["seen"] else "unseen people"}': Verification.from_dict(
            {k: row[k] for k in ('eer', 'min_cllr', 'people', 'genuine', 'impostor')}
        )
        for row in document['matches']
    }


def verification_table(documents: Sequence[dict[str, Any]]) -> str:
    """A row for each encoder and matcher, with people in training and not."""
    if not documents:
        return 'No results yet.\n'
    head = ['encoder', 'output', 'matcher', 'clips compared']
    head += ['EER', 'min Cllr', 'EER, unseen people', 'min Cllr, unseen people']
    lines = [row_line(head), row_line(['---'] * len(head))]
    for document in documents:
        matches = {
            ((row['matcher'], row['enrolled'], row['tested']), row['seen']): row
            for row in document['matches']
        }
        for case in CASES:
            key = (case.matcher, case.enrolled, case.tested)
            cells = [
                text
                for seen in (True, False)
                for text in (
                    estimate_cell(Estimate.from_dict(matches[key, seen]['eer'])),
                    _bits(Estimate.from_dict(matches[key, seen]['min_cllr'])),
                )
            ]
            study, compared = document['study'], f'{case.enrolled}, {case.tested}'
            matcher = _matcher(matches[key, True])
            lines.append(row_line([study['encoder'], study['output'], matcher, compared, *cells]))
    lines += [
        '',
        'EER in %: 50 where nothing is known; min Cllr in bits: 1 where nothing is known, 0 where '
        'everything is; with 95 % intervals by resampling people. Aligned: trained on clear video, '
        'codes rotated onto it. A matcher trained on clear video alone fails on any code, private '
        'or not: its rows on codes are worthless as a proof, and stand here to show it.',
    ]
    return '\n'.join(lines) + '\n'


def _features(arrays: Arrays, split: str) -> Features:
    return Features(*(arrays[f'{split}_{name}'] for name in (*_FORMS, 'persons', 'groups')))


def _matcher(row: Mapping[str, Any]) -> str:
    names = dict(clear='trained on clear video', codes='trained on codes', aligned='aligned')
    worthless = row['matcher'] == 'clear' and 'codes' in (row['enrolled'], row['tested'])
    return names[row['matcher']] + (' (no proof)' if worthless else '')


def _bits(estimate: Estimate) -> str:
    interval = estimate.interval
    return f'{estimate.value:.2f} ({interval.low:.2f} to {interval.high:.2f})'
