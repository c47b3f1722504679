#!/usr/bin/env python
"""Write the tables and figures of README.md and docs/ anew from results/, or check them.

They stand between ``<!-- KIND:NAME -->`` and ``<!-- /KIND -->``:

``table:NAME``       ``overview`` (README's), ``runs`` (of ``tools/reproduce_ixmas_cpu.sh``),
                     ``verification``
                     (``tools/verify.py``), ``learning_curve`` (``tools/learning_curve.py``),
                     ``conditions`` (audits of ``DATA_CONDITION``), ``tiers``,
                     ``randomized_response`` (``tools/randomized_response.py``),
                     ``audit`` or a comparison of ``tools/compare.py``, these two also with
                     ``_attackers``, ``_controls``, ``_recognition`` or ``_differences`` behind
                     it; ``DATA/`` in front of a name for other data than ``--data``
``benchmark:STUDY``  a study of ``python -m benchmarks.run``
``network:NAME``     what a network of the zoo says of itself
``stress:FILE.KEY``  a figure of ``results/stress/FILE.json``

Example:
    python tools/results_table.py
    python tools/results_table.py --check
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from bdq_plugin import markdown
from bdq_plugin.evaluation.condition_tables import conditions_table
from bdq_plugin.evaluation.learning_curve_study import learning_curve_table
from bdq_plugin.evaluation.overview import overview_table, read_rates
from bdq_plugin.evaluation.pooling import PooledResult, audited_on, pool
from bdq_plugin.evaluation.randomized_response_study import randomized_response_table
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.evaluation.run_tables import runs_table
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.tables import make_table
from bdq_plugin.evaluation.tiers import tiers_table
from bdq_plugin.evaluation.verification_study import verification_table
from bdq_plugin.markdown import fill_page, places
from bdq_plugin.network_file import find_network, read_network

ROOT = Path(__file__).resolve().parents[1]
STUDIES = dict(
    verification=verification_table,
    learning_curve=learning_curve_table,
    randomized_response=randomized_response_table,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = ROOT / 'results'
    parser.add_argument('--results', type=Path, default=results / 'audit')
    parser.add_argument('--runs', type=Path, default=results / 'ixmas_cpu')
    parser.add_argument('--verification', type=Path, default=results / 'verification')
    parser.add_argument('--learning-curve', type=Path, default=results / 'learning_curve')
    responses = results / 'randomized_response'
    parser.add_argument('--randomized-response', type=Path, default=responses)
    rates = ROOT / 'benchmarks' / 'results' / 'rates.json'
    parser.add_argument('--rates', type=Path, default=rates)
    parser.add_argument('--stress', type=Path, default=results / 'stress')
    parser.add_argument(
        '--file', type=Path, nargs='+', help='pages; by default README.md and those of docs/'
    )
    parser.add_argument('--data', default='ixmas', help='results of this data set')
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--check', action='store_true', help='write nothing; fail where it differs')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        update(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def update(args: argparse.Namespace) -> None:
    pages = args.file or [page for page in pages_of(ROOT) if places(page.read_text())]
    makers, stale = makers_of(args), []
    for page in pages:
        found = places(page.read_text())
        if not found:
            raise ValueError(
                f'{page} has no place for a table: write <!-- table:audit --> and '
                '<!-- /table --> on lines of their own'
            )
        if fill_page(page, makers, args.check):
            print(f'{page}: {len(found)} up to date')
        elif args.check:
            stale.append(str(page))
        else:
            print(f'{page}: wrote {", ".join(found)}')
    if stale:
        raise ValueError(f'out of date: {", ".join(stale)}: run python tools/results_table.py')


def pages_of(root: Path) -> list[Path]:
    return [root / 'README.md', *sorted((root / 'docs').glob('*.md'))]


def makers_of(args: argparse.Namespace) -> dict[str, Callable[[str], object]]:
    @cache
    def every() -> list[PooledResult]:
        return pool(read_results(args.results))

    def table(name: str) -> str:
        data, _, name = name.rpartition('/')
        wanted = (data or args.data, args.protocol)
        rows = [row for row in every() if audited_on(row) == wanted]

        def studies(kind: str) -> list[dict]:
            return read_studies(getattr(args, kind), kind, *wanted)

        if name == 'runs':
            return runs_table(args.runs)
        if name == 'conditions':
            return conditions_table(every(), *wanted)
        if name == 'overview':
            return overview_table(rows, read_rates(args.rates))
        if name == 'tiers':
            return tiers_table(rows, studies('randomized_response'))
        if name in STUDIES:
            return STUDIES[name](studies(name))
        return make_table(name, rows)

    def figure(name: str) -> object:
        file, key = name.split('.')
        path = args.stress / f'{file}.json'
        figures = json.loads(path.read_text()) if path.is_file() else {}
        return figures.get(key, 'not measured')

    return dict(table=table, benchmark=benchmark_table, network=network_table, stress=figure)


def network_table(name: str) -> str:
    """A network's data, size and figures, from its file."""
    network, size = read_network(f'zoo:{name}'), find_network(f'zoo:{name}').stat().st_size
    facts, test = network.facts, network.facts['test']
    rows = [
        ['encoder', f'`{facts["encoder"]}`'],
        ['actions', ', '.join(network.classes)],
        ['data', f'{facts["dataset"]}, protocol {facts["protocol"]}, fold {facts["fold"]}'],
        ['training', f'{facts["epochs"]} epochs, seed {facts["seed"]}, `{facts["commands"][0]}`'],
        [
            'test clips named rightly',
            f'{test["right"]} of {test["clips"]}, {test["top1"]} % (chance {test["chance"]} %), by '
            f'the mean of {test["windows_a_clip"]} windows a clip',
        ],
        ['file', f'{size / 1000:.0f} kB, {sum(v.size for v in network.state.values()):,} numbers'],
    ]
    return markdown.table([f'`zoo:{name}`', ''], rows)


def benchmark_table(name: str) -> str:
    sys.path.insert(0, str(ROOT))  # benchmarks are not installed
    try:
        harness = importlib.import_module('benchmarks.harness')
        study = importlib.import_module(f'benchmarks.{name}')
    finally:
        sys.path.remove(str(ROOT))
    path = getattr(study, 'RESULTS', harness.RESULTS / f'{name}.json')
    return study.table(json.loads(path.read_text()))


if __name__ == '__main__':
    main()
