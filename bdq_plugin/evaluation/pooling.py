"""Pool the results of one encoder over folds and seeds, and compute its figures.

A result holds what was answered for each test clip; everything that a table shows is computed here,
from these answers. A clip's hits are averaged over seeds first, so that more seeds never look like
more clips, and intervals resample people.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import expit

from .scores import attribute_chance, class_mean_average_precision, majority_share
from .statistics import (
    Accumulation,
    Difference,
    Estimate,
    Interval,
    PersonFigure,
    accumulate,
    bootstrap_interval,
    information_bits,
    most_linkable,
    paired_difference,
    person_interval,
    worst_person,
)
from .statistics.accumulation import SIZES

Result = dict[str, Any]

CLEAR = 'pass_through'
# Behind a data config's name: the same test clips, to attackers who learn from moved clips as well,
# or from a camera that encodes each n-th frame.
_SAME_CLIPS = re.compile(r'(_moved)?(_every(?P<every>\d+))?$')
CAVEAT = (
    'The maximum over the panel on the test clips: picking the best attacker by its test figure '
    'errs upwards for this panel, and a better attacker than these may recognise more.'
)


@dataclass(frozen=True)
class Hits:
    """Answers of one attacker for the distinct test clips of all folds.

    Attributes:
        ids, persons, groups: of each clip, (M,).
        values: share of the seeds under which the clip is told rightly, (M,).
    """

    ids: tuple[str, ...]
    persons: tuple[str, ...]
    groups: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Pooled:
    """A figure of one attacker (or of the network for the action) over folds and seeds.

    Attributes:
        target: ``'identity'`` or ``'action'``.
        figure: ``'top1'``, or ``'cmap'`` for attributes.
        value: its mean, in [0, 1], for the encoding that left the camera.
        interval: by resampling people and their performances (attributes: performances).
        spread: least and greatest value of a seed.
        value_of_all: where the encoder draws, the figure when all encodings of a clip are at hand.
        frame_top1: mean accuracy of single frames, None for what does not look at single frames.
        train_accuracy, held_out_accuracy: means on the training clips and, by copies that did not
            see them, on held-out ones; None where there is none.
        converged: number of runs whose attacker had learned all that it can.
        runs: number of runs.
        chance, majority: what knowing nothing scores.
        control: the same recipe's figure on clear video of the same folds; None where that was not
            measured.
        extras: means of what else it gives, such as the PSNR of restored frames.
        hits: of each clip; None for attributes.
    """

    target: str
    figure: str
    value: float
    interval: Interval
    spread: tuple[float, float]
    value_of_all: float | None
    frame_top1: float | None
    train_accuracy: float | None
    held_out_accuracy: float | None
    converged: int
    runs: int
    chance: float
    majority: float
    control: float | None = None
    extras: dict[str, float] = field(default_factory=dict)
    hits: Hits | None = None


@dataclass(frozen=True)
class PooledResult:
    """All figures of one encoder in one form.

    Attributes:
        data, protocol, encoder, output, panel: as in :class:`~bdq_plugin.evaluation.results.Cell`.
        folds, seeds: what was pooled.
        networks: figures by name.
        chosen: the figure of the attackers that the training clips chose, fold by fold; the
            maximum over the panel is chosen by the test clips and errs upwards.
        chosen_names: which these were.
        controls: negative controls by name.
        control_from: figure on clear video from which an attacker is a witness.
        answers: of the strongest attacker; None for attributes.
        notes: how the codes came about.
        left_out: attackers that did not take part, and why.
        control_answers: of the negative controls by name.
    """

    data: str
    protocol: str
    encoder: str
    output: str
    panel: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    networks: dict[str, Pooled]
    chosen: Pooled | None
    chosen_names: tuple[str, ...]
    controls: dict[str, Estimate]
    control_from: float
    answers: Answers | None
    notes: tuple[str, ...]
    left_out: dict[str, str]
    control_answers: dict[str, Answers] = field(default_factory=dict)

    @property
    def attackers(self) -> dict[str, Pooled]:
        """The networks that look for the person."""
        return {k: v for k, v in self.networks.items() if v.target == 'identity'}

    @property
    def strongest(self) -> str:
        """Name of the attacker with the highest figure: the headline."""
        return max(self.attackers, key=lambda name: self.attackers[name].value)

    @property
    def leakage(self) -> Pooled:
        """Figure of the strongest attacker, as high as this panel errs."""
        return self.attackers[self.strongest]

    @property
    def witnesses(self) -> list[str]:
        """Attackers whose recipe recognises people in clear video of the same folds."""
        return [
            name
            for name, figure in self.attackers.items()
            if figure.control is not None and figure.control >= self.control_from
        ]

    @property
    def evidence_of_privacy(self) -> bool:
        """Whether a low figure would say something: a witness was among the attackers."""
        return bool(self.witnesses)

    @property
    def action(self) -> Pooled | None:
        """Figure of the network for the action."""
        return next((v for v in self.networks.values() if v.target == 'action'), None)

    def accumulation(
        self, sizes: Sequence[int] = SIZES, control: str | None = None
    ) -> list[Accumulation]:
        """Accuracy of the strongest attacker when k clips are known to be of one person.

        Sizes that some person has not clips enough for are left out.

        Args:
            sizes: each k.
            control: of this negative control instead, where there is such a one.
        """
        answers = self.answers if control is None else self.control_answers.get(control)
        if answers is None:
            return []
        most = most_linkable(answers.labels, answers.strata)
        fitting = [size for size in sizes if size <= most]
        if not fitting:
            return []
        return accumulate(answers.log_probs, answers.labels, answers.strata, fitting)

    def information(self) -> Estimate | None:
        """A lower bound of the bits about the person in a clip, by the strongest attacker."""
        if self.answers is None:
            return None
        answers = self.answers
        return information_bits(answers.log_probs, answers.labels, answers.groups)

    def worst(self) -> PersonFigure | None:
        """The person whom the strongest attacker names most often."""
        hits = self.leakage.hits
        return None if hits is None else worst_person(hits.values, hits.persons, hits.groups)

    def difference(self, other: PooledResult) -> Difference:
        """How much more this encoder leaks to its strongest attacker than another one to its own.

        Raises:
            ValueError: attributes, or other test clips.
        """
        mine, its = self.leakage.hits, other.leakage.hits
        if mine is None or its is None or mine.ids != its.ids:
            raise ValueError(
                f'{self.encoder} and {other.encoder} were not audited on the same clips'
            )
        return paired_difference(mine.values, its.values, mine.persons, mine.groups)


@dataclass(frozen=True)
class Answers:
    """What an attacker answered: log_probs (M, K), and of each row its truth, the model that
    answered (fold and seed) and the performance."""

    log_probs: np.ndarray
    labels: np.ndarray
    strata: tuple[str, ...]
    groups: tuple[str, ...]


def pool(results: Sequence[Result]) -> list[PooledResult]:
    """Group results by encoder, form and panel, and pool each group over folds and seeds.

    A group's seeds must cover the same folds to be comparable: only the seeds with the most folds
    are pooled, so that a grid in progress gives honest figures. Each attacker's control is its
    figure for clear video on those folds, where it is among the results.
    """
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        cell = result['cell']
        key = tuple(cell[name] for name in ('data', 'protocol', 'encoder', 'output', 'panel'))
        groups[key].append(result)
    rows = [_pool_group(key, group) for key, group in groups.items()]
    clear = {(key[0], key[1], key[4]): group for key, group in groups.items() if key[2] == CLEAR}
    return [_with_controls(row, clear.get((row.data, row.protocol, row.panel), [])) for row in rows]


def audited_on(row: PooledResult) -> tuple[str, str]:
    """Data set and protocol of a row's test clips.

    ``DATA_moved`` has those of ``DATA``, and so has ``DATA_every4``, of which a camera encodes each
    fourth frame.
    """
    return same_clips(row.data), row.protocol


def same_clips(data: str) -> str:
    """Name of the data whose test clips these are."""
    return _SAME_CLIPS.sub('', data)


def rate_of(data: str) -> int:
    """Of the frames each n-th is encoded in data of that name."""
    return int(_SAME_CLIPS.search(data)['every'] or 1)


def _with_controls(row: PooledResult, clear: list[Result]) -> PooledResult:
    """The row with each attacker's figure on clear video of the row's folds."""
    same = [result for result in clear if result['cell']['fold'] in row.folds]
    if {result['cell']['fold'] for result in same} != set(row.folds):
        return row
    networks = {}
    for name, figure in row.networks.items():
        values = [
            _accuracy(result, result['attackers'][name])
            for result in same
            if name in result['attackers']
        ]
        networks[name] = replace(figure, control=float(np.mean(values)) if values else None)
    return replace(row, networks=networks)


def _pool_group(key: tuple[str, ...], group: list[Result]) -> PooledResult:
    folds_of_seed = defaultdict(set)
    for result in group:
        folds_of_seed[result['cell']['seed']].add(result['cell']['fold'])
    folds = max(folds_of_seed.values(), key=lambda folds: (len(folds), sorted(folds)))
    seeds = sorted(seed for seed, covered in folds_of_seed.items() if covered == folds)
    used = [result for result in group if result['cell']['seed'] in seeds]
    used.sort(key=lambda result: (result['cell']['fold'], result['cell']['seed']))
    for result in used:
        if result['panel'] != used[0]['panel']:
            raise ValueError(
                f'results of {result["cell"]} and {used[0]["cell"]} come from different panels: '
                'remove those of the older one'
            )
    names = [n for n in used[0]['attackers'] if all(n in r['attackers'] for r in used)]
    networks = {
        name: _pool_network([result['attackers'][name] for result in used], used, seeds)
        for name in names
    }
    row = PooledResult(
        *key,
        tuple(sorted(folds)),
        tuple(seeds),
        networks,
        chosen=_pool_network([r['attackers'][r['chosen']] for r in used], used, seeds),
        chosen_names=tuple(dict.fromkeys(result['chosen'] for result in used)),
        controls=_pool_controls(used),
        control_from=used[0]['control_from'],
        answers=None,
        notes=tuple(dict.fromkeys(note for result in used for note in result['notes'])),
        left_out={k: v for result in used for k, v in result['left_out'].items()},
    )
    if row.leakage.figure == 'cmap':
        return row
    return replace(
        row,
        answers=_answers([(r, r['attackers'][row.strongest]['scores']) for r in used]),
        control_answers={
            name: _answers([(r, scores) for r in used for scores in r['controls'][name]])
            for name in row.controls
        },
    )


def _pool_network(records: list[dict], results: list[Result], seeds: list[int]) -> Pooled:
    first, truths = records[0], [_truth(r, records[0]['target']) for r in results]
    values = [_accuracy(*pair) for pair in zip(results, records, strict=True)]
    sizes = [len(truth) for truth in truths]
    attributes = truths[0].ndim == 2
    hits = None if attributes else _hits(records, results)
    if attributes:
        interval = _attribute_interval(records, results)
        chance = majority = float(np.mean([attribute_chance(truth)['cmap'] for truth in truths]))
    else:
        assert hits is not None
        interval = person_interval(hits.values, hits.persons, hits.groups)
        chance = 1 / len(first['scores'][0])
        majority = float(np.average([majority_share(t) for t in truths], weights=sizes))
    by_seed = [
        np.average(
            [v for v, r in zip(values, results, strict=True) if r['cell']['seed'] == seed],
            weights=[n for n, r in zip(sizes, results, strict=True) if r['cell']['seed'] == seed],
        )
        for seed in seeds
    ]

    def mean(name: str) -> float | None:
        found = [record.get(name) for record in records]
        return None if None in found else float(np.average(found, weights=sizes))

    of_all = None
    if any('scores_of_all' in record for record in records):
        pairs = zip(results, records, strict=True)
        of_all = float(np.average([_accuracy(*p, 'scores_of_all') for p in pairs], weights=sizes))
    frames = [record.get('frame_hits') for record in records]
    return Pooled(
        target=first['target'],
        figure='cmap' if attributes else 'top1',
        value=float(np.average(values, weights=sizes)),
        interval=interval,
        spread=(float(min(by_seed)), float(max(by_seed))),
        value_of_all=of_all,
        frame_top1=None if None in frames else float(np.mean(np.concatenate(frames))),
        train_accuracy=mean('train_accuracy'),
        held_out_accuracy=mean('held_out_accuracy'),
        converged=sum(record['converged'] for record in records),
        runs=len(records),
        chance=chance,
        majority=majority,
        extras={
            key: float(np.average([r['extras'][key] for r in records], weights=sizes))
            for key in first['extras']
            if all(key in r['extras'] for r in records)
        },
        hits=hits,
    )


def _truth(result: Result, target: str) -> np.ndarray:
    return np.array(result['test'][target])


def _accuracy(result: Result, record: dict, scores: str = 'scores') -> float:
    answers = np.array(record.get(scores, record['scores']))
    truth = _truth(result, record['target'])
    if truth.ndim == 2:
        return class_mean_average_precision(expit(answers), truth)
    return float((answers.argmax(1) == truth).mean())


def _hits(records: list[dict], results: list[Result]) -> Hits:
    hits: dict[str, list[bool]] = defaultdict(list)
    owner = {}
    for record, result in zip(records, results, strict=True):
        test, truth = result['test'], _truth(result, record['target'])
        right = np.array(record['scores']).argmax(1) == truth
        for clip, person, group, hit in zip(
            test['ids'], test['persons'], test['groups'], right, strict=True
        ):
            hits[clip].append(bool(hit))
            owner[clip] = (person, group)
    ids = tuple(sorted(hits))
    persons, groups = (tuple(owner[clip][i] for clip in ids) for i in (0, 1))
    return Hits(ids, persons, groups, np.array([np.mean(hits[clip]) for clip in ids]))


def _attribute_interval(records: list[dict], results: list[Result]) -> Interval:
    """The widest of the folds': attributes have no hits to pool."""
    intervals = []
    for record, result in zip(records, results, strict=True):
        scores, truth = expit(np.array(record['scores'])), _truth(result, record['target'])

        def figure(index: np.ndarray, scores: Any = scores, truth: Any = truth) -> float:
            return class_mean_average_precision(scores[index], truth[index])

        intervals.append(bootstrap_interval(figure, result['test']['groups']))
    low, high = min(i.low for i in intervals), max(i.high for i in intervals)
    return Interval(low, high, 'widest of the folds, ' + intervals[0].method)


def _pool_controls(results: list[Result]) -> dict[str, Estimate]:
    """Accuracy of each negative control that every result has, with its interval over people."""
    names = [n for n in results[0]['controls'] if all(n in r['controls'] for r in results)]
    pooled = {}
    for name in names:
        records, repeated = [], []
        for result in results:
            for scores in result['controls'][name]:
                records.append(dict(scores=scores, target='identity'))
                repeated.append(result)
        hits = _hits(records, repeated)
        interval = person_interval(hits.values, hits.persons, hits.groups)
        pooled[name] = Estimate(float(hits.values.mean()), interval)
    return pooled


def _answers(models: list[tuple[Result, list]]) -> Answers:
    """Of models, each with the result that it stands in and its scores of the test clips."""
    scores, labels, strata, groups = [], [], [], []
    for number, (result, answered) in enumerate(models):
        scores += answered
        labels += result['test']['identity']
        strata += [f'model{number}'] * len(answered)
        groups += result['test']['groups']
    log_probs = np.array(scores, dtype=float)
    # Rounded to three digits in the file: brought back to sum to one.
    log_probs -= np.logaddexp.reduce(log_probs, 1, keepdims=True)
    return Answers(log_probs, np.array(labels), tuple(strata), tuple(groups))
