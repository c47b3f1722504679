#!/usr/bin/env python
"""Write the tables of README.md anew from results/, or check that they are up to date.

A table stands between ``<!-- table:NAME -->`` and ``<!-- /table -->``; NAME is ``runs`` (of
``tools/reproduce_ixmas_cpu.sh``), ``verification`` (``tools/verify.py``), ``learning_curve``
(``tools/learning_curve.py``), ``audit`` or a comparison of ``tools/compare.py``, these two also
with ``_attackers``, ``_controls`` or ``_differences`` behind it.

Example:
    python tools/results_table.py
    python tools/results_table.py --check
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.evaluation.learning_curve_study import learning_curve_table
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.evaluation.run_tables import runs_table
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.tables import fill, make_table, table_names
from bdq_plugin.evaluation.verification_study import verification_table

STUDIES = dict(verification=verification_table, learning_curve=learning_curve_table)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--results', type=Path, default=Path('results/audit'))
    parser.add_argument('--runs', type=Path, default=Path('results/ixmas_cpu'))
    parser.add_argument('--verification', type=Path, default=Path('results/verification'))
    parser.add_argument('--learning-curve', type=Path, default=Path('results/learning_curve'))
    parser.add_argument('--file', type=Path, default=Path('README.md'))
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
    text = args.file.read_text()
    names = table_names(text)
    if not names:
        raise ValueError(
            f'{args.file} has no place for a table: write <!-- table:audit --> and '
            '<!-- /table --> on lines of their own'
        )
    wanted = (args.data, args.protocol)
    rows = [row for row in pool(read_results(args.results)) if (row.data, row.protocol) == wanted]

    def make(name: str) -> str:
        if name == 'runs':
            return runs_table(args.runs)
        if name in STUDIES:
            folder = getattr(args, name)
            return STUDIES[name](read_studies(folder, name, *wanted))
        return make_table(name, rows)

    new = fill(text, make)
    if args.check:
        if new != text:
            raise ValueError(f'{args.file} is out of date: run python tools/results_table.py')
        print(f'{args.file}: {", ".join(names)} up to date')
        return
    temporary = args.file.with_name(f'.{args.file.name}.{os.getpid()}.tmp')
    temporary.write_text(new)
    os.replace(temporary, args.file)
    print(f'{args.file}: wrote {", ".join(names)}')


if __name__ == '__main__':
    main()
