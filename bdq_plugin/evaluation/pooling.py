"""Pool the results of one encoder over folds and seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .figures import CAVEAT
from .statistics import Interval, bootstrap_interval, wilson_interval

Result = dict[str, Any]


@dataclass(frozen=True)
class Pooled:
    """A figure of one network over folds and seeds.

    Attributes:
        target: ``'identity'`` or ``'action'``.
        figure: which clip-level figure it is: ``'vote_top1'``, ``'clip_top1'`` or ``'cmap'``.
        value: its mean, in [0, 1].
        interval: Wilson's for the distinct clips, at the mean over seeds: it does not shrink with
            more seeds, for these see the same clips.
        cluster_interval: bootstrap over performances.
        spread: least and greatest value of a seed.
        frame_top1: mean accuracy of single frames, None for a network that answers for clips.
        train_accuracy: mean on the training clips.
        learned: number of runs whose network learned its training clips.
        runs: number of runs.
        chance, majority: what knowing nothing scores.
        extras: means of what else the network gives, such as the PSNR of restored frames.
    """

    target: str
    figure: str
    value: float
    interval: Interval
    cluster_interval: Interval
    spread: tuple[float, float]
    frame_top1: float | None
    train_accuracy: float
    learned: int
    runs: int
    chance: float
    majority: float
    extras: dict[str, float]


@dataclass(frozen=True)
class PooledResult:
    """All figures of one encoder in one form.

    Attributes:
        data, protocol, encoder, output, panel: as in :class:`~bdq_plugin.evaluation.results.Cell`.
        folds, seeds: what was pooled.
        networks: figures by name.
    """

    data: str
    protocol: str
    encoder: str
    output: str
    panel: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    networks: dict[str, Pooled]

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
    def evidence_of_privacy(self) -> bool:
        """Whether an attacker learned its training clips in every run."""
        return any(figure.learned == figure.runs for figure in self.attackers.values())

    @property
    def caveat(self) -> str:
        """What the headline is not."""
        return CAVEAT

    @property
    def action(self) -> Pooled | None:
        """Figure of the best network for the action, None where the panel has none."""
        figures = [figure for figure in self.networks.values() if figure.target == 'action']
        return max(figures, key=lambda figure: figure.value) if figures else None


def pool(results: Sequence[Result]) -> list[PooledResult]:
    """Group results by encoder, form and panel, and pool each group over folds and seeds.

    A group's seeds must cover the same folds to be comparable: only the seeds with the most folds
    are pooled, so that a grid in progress gives honest figures.
    """
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        cell = result['cell']
        key = tuple(cell[name] for name in ('data', 'protocol', 'encoder', 'output', 'panel'))
        groups[key].append(result)
    return [_pool_group(key, group) for key, group in groups.items()]


def _pool_group(key: tuple[str, ...], group: list[Result]) -> PooledResult:
    folds_of_seed = defaultdict(set)
    for result in group:
        folds_of_seed[result['cell']['seed']].add(result['cell']['fold'])
    folds = max(folds_of_seed.values(), key=lambda folds: (len(folds), sorted(folds)))
    seeds = sorted(seed for seed, covered in folds_of_seed.items() if covered == folds)
    used = [result for result in group if result['cell']['seed'] in seeds]
    names = used[0]['figures']
    for result in used:
        if result['panel'] != used[0]['panel']:
            raise ValueError(
                f'results of {result["cell"]} and {used[0]["cell"]} come from different panels: '
                'remove those of the older one'
            )
    networks = {name: _pool_network(name, used, seeds) for name in names}
    return PooledResult(*key, tuple(sorted(folds)), tuple(seeds), networks)


def _pool_network(name: str, results: list[Result], seeds: list[int]) -> Pooled:
    figures = [result['figures'][name] for result in results]
    first, panel = figures[0], results[0]['panel'][name]
    target = panel.get('target', 'identity')
    values = [figure[figure['figure']] for figure in figures]
    sizes = [len(result['test']['ids']) for result in results]
    if first['figure'] == 'cmap':
        # Attributes have no hits to pool: the mean over folds, with the widest of their intervals.
        low = min(figure['interval']['low'] for figure in figures)
        high = max(figure['interval']['high'] for figure in figures)
        interval = cluster = Interval(
            low, high, 'widest of the folds, ' + first['interval']['method']
        )
    else:
        interval, cluster = _intervals(name, target, results)
    by_seed = [
        np.average(
            [v for v, r in zip(values, results, strict=True) if r['cell']['seed'] == seed],
            weights=[n for n, r in zip(sizes, results, strict=True) if r['cell']['seed'] == seed],
        )
        for seed in seeds
    ]

    def mean(field: str) -> float:
        return float(np.average([figure[field] for figure in figures], weights=sizes))

    return Pooled(
        target=target,
        figure=first['figure'],
        value=float(np.average(values, weights=sizes)),
        interval=interval,
        cluster_interval=cluster,
        spread=(float(min(by_seed)), float(max(by_seed))),
        frame_top1=mean('frame_top1') if 'frame_top1' in first else None,
        train_accuracy=mean('train_accuracy'),
        learned=sum(figure['learned'] for figure in figures),
        runs=len(figures),
        chance=first['chance'],
        majority=mean('majority'),
        extras={
            key: float(np.average([figure['extras'][key] for figure in figures], weights=sizes))
            for key in first.get('extras', {})
        },
    )


def _intervals(name: str, target: str, results: list[Result]) -> tuple[Interval, Interval]:
    """Wilson and cluster bootstrap over distinct clips, each clip's hits averaged over its runs."""
    hits, groups = defaultdict(list), {}
    for result in results:
        test, predicted = result['test'], result['answers'][name]['predicted']
        for clip, group, truth, answer in zip(
            test['ids'], test['groups'], test[target], predicted, strict=True
        ):
            hits[clip].append(truth == answer)
            groups[clip] = group
    shares = np.array([np.mean(hits[clip]) for clip in hits])
    cluster = bootstrap_interval(
        lambda index: float(shares[index].mean()), [groups[clip] for clip in hits]
    )
    return wilson_interval(float(shares.sum()), len(shares)), cluster
