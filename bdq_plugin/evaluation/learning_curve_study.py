"""Leakage against the number of performances that the attacker has of each person.

The attacker is the template attacker: it is quick, and strong with few clips. It chooses its
parameters by leaving out half of each person's performances in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..encoders import ClipEncoder
from .attackers.templates import Split, TemplateAttacker
from .clips import Clips, Fold
from .encodings import encode
from .settings import Data
from .statistics import Interval, LearningPoint, nested_subsets, person_interval
from .studies import Arrays, Measure
from .tables import estimate_cell, row_line

KIND = 'learning_curve'
SIZES = (2, 4, 8)


def measure(
    sizes: Sequence[int] = SIZES,
    seeds: Sequence[int] = (0, 1, 2),
    families: Sequence[str] | None = None,
) -> Measure:
    """How the curve is measured.

    Args:
        sizes: performances of each person, 2 or more; all that there are come last anyhow.
        seeds: which performances are taken; figures are means over them.
        families: of features; None for all.

    Raises:
        ValueError: a size below 2, or no seed.
    """
    if not sizes or min(sizes) < 2 or not seeds:
        raise ValueError(
            f'a learning curve needs sizes of 2 performances or more and a seed, got {sizes}, '
            f'{seeds}'
        )
    settings = dict(sizes=list(sizes), seeds=list(seeds), families=families)

    def fold(loaded: Fold, encoder: ClipEncoder, data: Data) -> Arrays:
        return measure_fold(loaded, encoder, data, sizes, seeds, families)

    return Measure(fold, summary, settings)


def measure_fold(
    fold: Fold,
    encoder: ClipEncoder,
    data: Data,
    sizes: Sequence[int],
    seeds: Sequence[int],
    families: Sequence[str] | None = None,
) -> Arrays:
    """Which test clips an attacker names that has so many performances of each person.

    Returns:
        ``sizes`` and ``clips`` (S,): performances a person and training clips; ``hits`` (S, N):
        share of the seeds under which a test clip is told; ``ids``, ``persons``, ``groups`` (N,).

    Raises:
        ValueError: attributes, or a person with fewer than two performances.
    """
    if fold.train.identities.ndim == 2:
        raise ValueError('a learning curve is of people, not of attributes')
    options = (data.sampling, data.mean, data.std)
    train = encode(fold.train, encoder, *options, training=True)
    test = encode(fold.test, encoder, *options, training=False).first_encodings()
    described = TemplateAttacker(num_outputs=len(fold.identities), families=families)
    known, asked = described.describe_training(train), described.describe(test)
    truth, most = train.identities.numpy(), _fewest_performances(train)
    points = sorted({*(size for size in sizes if size < most), most})
    hits, clips = np.zeros((len(points), len(test))), []
    for row, size in enumerate(points):
        # All that there are, are the same whatever the seed.
        tried = seeds if size < most else seeds[:1]
        counts = []
        for seed in tried:
            chosen = nested_subsets(train.persons, train.groups, [size], seed)[size]
            attacker = TemplateAttacker(
                num_outputs=len(fold.identities), families=families, seed=seed
            )
            attacker.learn(
                {name: x_NVD[chosen] for name, x_NVD in known.items()},
                truth[chosen],
                halves(train.select(chosen)),
            )
            answers = attacker.judge(asked)[:, 0].argmax(1)
            hits[row] += (answers == test.identities.numpy()) / len(tried)
            counts.append(len(chosen))
        clips.append(round(np.mean(counts)))
    return dict(
        sizes=np.array(points),
        clips=np.array(clips),
        hits=hits,
        ids=np.array(test.ids),
        persons=np.array(test.persons),
        groups=np.array(test.groups),
        people=np.array(len(fold.identities)),
    )


def halves(clips: Clips) -> list[Split]:
    """Every other performance of each person to learn from, the rest to judge by; and the reverse.

    Units may leave nothing of someone of whom there are few clips.
    """
    persons, groups = np.array(clips.persons), np.array(clips.groups)
    odd = np.zeros(len(clips), dtype=bool)
    for person in np.unique(persons):
        mine = persons == person
        odd[mine] = np.unique(groups[mine], return_inverse=True)[1] % 2 == 1
    return [(np.flatnonzero(half), np.flatnonzero(~half)) for half in (odd, ~odd)]


def summary(folds: Mapping[int, Arrays]) -> dict[str, Any]:
    """Points with their intervals over people, and the hits that they are made of."""
    first = next(iter(folds.values()))
    if any(not np.array_equal(arrays['sizes'], first['sizes']) for arrays in folds.values()):
        raise ValueError('the folds have different numbers of performances a person')
    stacked = {
        name: np.concatenate([arrays[name] for arrays in folds.values()], -1)
        for name in ('hits', 'ids', 'persons', 'groups')
    }
    points = []
    for row, size in enumerate(first['sizes'].tolist()):
        hits = stacked['hits'][row]
        interval = person_interval(hits, stacked['persons'], stacked['groups'])
        points.append(
            dict(
                performances=size,
                clips=round(np.mean([arrays['clips'][row] for arrays in folds.values()])),
                value=round(float(hits.mean()), 4),
                interval=interval.to_dict(),
            )
        )
    return dict(
        chance=round(1 / int(first['people']), 4),
        points=points,
        hits=np.round(stacked['hits'], 4).tolist(),
        **{name: stacked[name].tolist() for name in ('ids', 'persons', 'groups')},
    )


def points_of(document: dict[str, Any]) -> list[LearningPoint]:
    """The points of a result."""
    return [
        LearningPoint(point['clips'], point['value'], Interval(**point['interval']))
        for point in document['points']
    ]


def learning_curve_table(documents: Sequence[dict[str, Any]]) -> str:
    """Rows of encoders, columns of performances a person."""
    if not documents:
        return 'No results yet.\n'
    sizes = sorted({point['performances'] for d in documents for point in d['points']})
    lines = [row_line(['encoder', 'output', *map(str, sizes)])]
    lines.append(row_line(['---'] * (len(sizes) + 2)))
    for document in documents:
        found = dict(
            zip((p['performances'] for p in document['points']), points_of(document), strict=True)
        )
        cells = [estimate_cell(found[size]) if size in found else '' for size in sizes]
        lines.append(row_line([document['study']['encoder'], document['study']['output'], *cells]))
    lines += [
        '',
        'Person named by the template attacker, in %, with 95 % intervals by resampling people, '
        'against the performances of each person that it learned from; chance '
        f'{100 * documents[0]["chance"]:.1f}.',
    ]
    return '\n'.join(lines) + '\n'


def _fewest_performances(clips: Clips) -> int:
    persons, groups = np.array(clips.persons), np.array(clips.groups)
    fewest = min(len(np.unique(groups[persons == person])) for person in np.unique(persons))
    if fewest < 2:
        raise ValueError(
            'a learning curve needs two training performances or more of each person, one to learn '
            'from and one to choose by'
        )
    return fewest
