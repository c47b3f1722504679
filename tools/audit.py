#!/usr/bin/env python
"""Audit what an encoder leaks: train an action network and a panel of attackers on its output.

Example:
    python tools/audit.py --encoder bdq_hard --data ixmas --protocol take --fold 3
    python tools/audit.py --encoder work_dirs/bdq/encoder.json --data ixmas --panel full
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from mmengine.config import DictAction

from bdq_plugin.engine.first_checks import check_device
from bdq_plugin.evaluation.audit import run_audit
from bdq_plugin.evaluation.candidates import OUTPUTS, output_forms, resolve_encoder
from bdq_plugin.evaluation.results import Cell
from bdq_plugin.evaluation.settings import load_data, load_panel


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--encoder', required=True, help='encoder.json, checkpoint (.pth), zoo name or preset'
    )
    parser.add_argument('--preset', help='what a checkpoint was trained from')
    parser.add_argument('--name', help="name in the results; by default the preset's or folder's")
    parser.add_argument('--data', default='ixmas', help='config in configs/audit/data, or its path')
    parser.add_argument('--data-root', help="folder of the videos; by default the config's")
    parser.add_argument('--ann-file', help="annotation file; by default the config's")
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--fold', type=int, default=[1], nargs='+')
    parser.add_argument('--seed', type=int, default=[0], nargs='+')
    parser.add_argument('--panel', default='quick', help='config in configs/audit, or its path')
    parser.add_argument(
        '--output', choices=(*OUTPUTS, 'both'), default='both', help='both: every form it has'
    )
    parser.add_argument('--results', default='results/audit')
    parser.add_argument('--work-dir', default='work_dirs/audit')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='replace entries of the panel, such as panel.frame.recipe.epochs=10',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        audit(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def audit(args: argparse.Namespace) -> None:
    check_device(args.device)
    data = load_data(args.data, args.data_root, args.ann_file)
    panel = load_panel(args.panel, args.cfg_options)
    audited = resolve_encoder(args.encoder, args.preset)
    forms = output_forms(audited.encoder)
    wanted = forms if args.output == 'both' else [args.output]
    missing = [output for output in wanted if output not in forms]
    if missing:
        raise ValueError(
            f'{args.encoder} has no {missing[0]} output, only {" and ".join(forms)}: choose that'
        )
    for fold in args.fold:
        for seed in args.seed:
            for output in wanted:
                label = args.name or audited.name
                cell = Cell(data.name, args.protocol, fold, label, output, seed, panel.name)
                run_audit(
                    forms[output],
                    cell,
                    data,
                    panel,
                    origin=audited.origin,
                    results=args.results,
                    work_dir=args.work_dir,
                    device=args.device,
                )


if __name__ == '__main__':
    main()
