#!/usr/bin/env python
"""Audit what an encoder leaks: train a panel of attackers on its output, and on clear video.

Clear video is audited first, unless its result is there: an attacker that fails on clear video says
nothing about a code.

Example:
    python tools/audit.py --encoder bdq_hard --data ixmas --protocol take --fold 1 2 3
    python tools/audit.py --encoder work_dirs/bdq/encoder.json --data ixmas --panel full
    python tools/audit.py --encoder bdq_hard_ixmas_take3 --data own/annotations.csv --hold-out take
    python tools/audit.py --encoder bdq_hard --fold 3 --repeat
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.config import DictAction

from bdq_plugin.engine.first_checks import check_device
from bdq_plugin.evaluation.audit import run_audit
from bdq_plugin.evaluation.candidates import OUTPUTS, output_forms, resolve_encoder
from bdq_plugin.evaluation.clips import check_folds, count_folds
from bdq_plugin.evaluation.data_arguments import add_data_arguments, add_rate_argument, data_of
from bdq_plugin.evaluation.pooling import CLEAR, pool
from bdq_plugin.evaluation.results import Cell, comparable, differences, read_result
from bdq_plugin.evaluation.settings import at_rate, load_panel
from bdq_plugin.evaluation.verdict import verdict

# Of what differs between two runs, so many places are named.
MOST_NAMED = 5


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--encoder', required=True, help='encoder.json, checkpoint (.pth), zoo name or preset'
    )
    parser.add_argument('--preset', help='what a checkpoint was trained from')
    parser.add_argument(
        '--name',
        help="name in the results; by default the zoo's, the folder's, or PRESET_untrained",
    )
    add_data_arguments(parser)
    add_rate_argument(parser)
    parser.add_argument('--fold', type=int, nargs='+', help='by default all')
    parser.add_argument('--seed', type=int, default=[0], nargs='+')
    parser.add_argument('--panel', default='quick', help='config in configs/audit, or its path')
    parser.add_argument(
        '--output', choices=(*OUTPUTS, 'both'), default='both', help='both: every form it has'
    )
    parser.add_argument('--no-control', action='store_true', help='leave clear video out')
    parser.add_argument('--results', default='results/audit')
    parser.add_argument('--work-dir', default='work_dirs/audit')
    parser.add_argument(
        '--threads',
        type=int,
        default=1,
        help='of torch; results repeat bit for bit only with as many, and two processes with one '
        'thread each do more than one with two',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='replace entries of the panel, such as panel.frame.recipe.max_epochs=30',
    )
    parser.add_argument(
        '--repeat',
        action='store_true',
        help='compute finished cells again, elsewhere, and fail where a bit differs',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        audit(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def audit(args: argparse.Namespace) -> None:
    check_device(args.device)
    panel = load_panel(args.panel, args.cfg_options)
    audited = resolve_encoder(args.encoder, args.preset)
    data = at_rate(data_of(args), audited.every if args.every is None else args.every)
    forms = output_forms(audited.encoder)
    wanted = list(forms) if args.output == 'both' else [args.output]
    missing = [output for output in wanted if output not in forms]
    if missing:
        raise ValueError(
            f'{args.encoder} has no {missing[0]} output, only {" and ".join(forms)}: choose that'
        )
    units = count_folds(data.dataset, args.protocol)
    folds = args.fold or list(range(1, units + 1))
    check_folds(data.dataset, args.protocol, folds)
    name = args.name or audited.name
    clear = resolve_encoder(CLEAR)
    runs = [(name, audited, output, forms[output]) for output in wanted]
    if not (args.no_control or args.repeat or name == CLEAR):
        runs.insert(0, (CLEAR, clear, 'soft', clear.encoder))
    results = []
    for label, source, output, encoder in runs:
        for fold in folds:
            for seed in args.seed:
                cell = Cell(data.name, args.protocol, fold, label, output, seed, panel.name)
                run = partial(
                    run_audit, encoder, cell, data, panel, origin=source.origin, device=args.device
                )
                if args.repeat:
                    check_repeats(cell, run, args.results)
                else:
                    results.append(run(results=args.results, work_dir=args.work_dir))
    if args.repeat:
        return
    if None in results:
        print('other processes are at the rest: run this command again for the verdict')
        return
    people = len(results[0]['test']['identity_names'])
    same_sessions = bool(results[0]['protocol_audit']['shared'].get('test', {}).get('sessions'))
    for row in pool(results):
        if row.encoder == name:
            print(f'\n{name}, {row.output}\n{verdict(row, people, units, same_sessions)}')


def check_repeats(cell: Cell, run: Callable[..., dict[str, Any]], results: str) -> None:
    """Compute a finished cell again in a scratch folder; raise ValueError where it differs."""
    first = read_result(cell.path(results))
    with tempfile.TemporaryDirectory() as scratch:
        run(results=scratch, work_dir=scratch)
        again = read_result(cell.path(scratch))
    found = differences(comparable(first), comparable(again))
    if found:
        named = ', '.join(found[:MOST_NAMED]) + (', ...' if len(found) > MOST_NAMED else '')
        raise ValueError(
            f'{cell.key} does not repeat: {len(found)} values differ: {named}; the first time '
            f'{first["versions"]} on {first["machine"]}, now {again["versions"]} on '
            f'{again["machine"]}'
        )
    print(f'{cell.key}: the same again, bit for bit')


if __name__ == '__main__':
    main()
