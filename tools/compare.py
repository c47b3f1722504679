#!/usr/bin/env python
"""Run one of the comparisons: train each encoder where it needs it, audit it, print the table.

Run the same command in several shells to share the work; run it again to continue.

Example:
    python tools/compare.py first_group --data ixmas --protocol take
    python tools/compare.py alpha --folds 3 --list
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from bdq_plugin.evaluation.comparison import (
    EXPERIMENTS,
    Entry,
    Settings,
    is_finished,
    list_tasks,
    run_tasks,
)
from bdq_plugin.evaluation.data_arguments import add_data_arguments, data_of
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import read_result
from bdq_plugin.evaluation.settings import load_panel
from bdq_plugin.evaluation.tables import alpha_table, audit_table, select


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('experiment', choices=EXPERIMENTS)
    parser.add_argument('--encoders', nargs='+', help='only these presets of the experiment')
    add_data_arguments(parser)
    parser.add_argument('--folds', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--panel', help="by default 'full' for full, else 'quick'")
    parser.add_argument('--results', type=Path, default=Path('results/audit'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/audit'))
    parser.add_argument('--train-config', type=Path, help='config that encoders are trained with')
    parser.add_argument('--train-epochs', type=int, help="by default the config's")
    parser.add_argument(
        '--threads',
        type=int,
        default=1,
        help='of torch; results repeat bit for bit only with as many, and two processes with one '
        'thread each do more than one with two',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--list', action='store_true', help='say what is finished, run nothing')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        compare(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def compare(args: argparse.Namespace) -> None:
    entries = choose(EXPERIMENTS[args.experiment], args.encoders)
    panel = args.panel or ('full' if args.experiment == 'full' else 'quick')
    settings = Settings(
        data=data_of(args),
        panel=load_panel(panel),
        protocol=args.protocol,
        results=args.results,
        work_dir=args.work_dir,
        device=args.device,
        train_config=args.train_config,
        train_epochs=args.train_epochs,
    )
    tasks = list_tasks(entries, args.folds, args.seeds)
    cells = [cell for task in tasks for cell in task.cells(settings)]
    if args.list:
        for cell in cells:
            print('finished ' if is_finished(cell, settings) else 'to do    ', cell.key)
        return
    run_tasks(tasks, settings)
    rows = pool([read_result(cell.path(settings.results)) for cell in cells])
    table = alpha_table if args.experiment == 'alpha' else audit_table
    print(table(select(rows, entries, settings.panel.name)))


def choose(entries: Sequence[Entry], presets: Sequence[str] | None) -> list[Entry]:
    """The entries of some presets, all by default."""
    known = dict.fromkeys(entry.preset for entry in entries)
    unknown = [name for name in presets or [] if name not in known]
    if unknown:
        raise ValueError(
            f'{", ".join(unknown)} is not in this experiment, which has {", ".join(known)}'
        )
    return [entry for entry in entries if presets is None or entry.preset in presets]


if __name__ == '__main__':
    main()
