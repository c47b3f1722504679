#!/usr/bin/env python3
"""Train by config: python tools/train.py CONFIG [--resume] [--amp] [--cfg-options ...]"""

import argparse
import os

from mmengine.config import DictAction

from bdq_plugin.engine.first_checks import one_sentence
from bdq_plugin.engine.launch import load_config, train


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train the game, or a network on a frozen encoder')
    parser.add_argument('config', help='a Python config, such as configs/bdq_kth.py')
    parser.add_argument('--work-dir', help='outputs; default work_dirs/NAME_OF_CONFIG')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint, or from the last one of the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision for every optimiser')
    parser.add_argument('--seed', type=int, help="replaces the config's randomness.seed")
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE ...')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    with one_sentence():
        cfg = load_config(
            args.config,
            options=args.cfg_options,
            work_dir=args.work_dir,
            launcher=args.launcher,
            seed=args.seed,
            amp=args.amp,
            resume=args.resume,
        )
        train(cfg)


if __name__ == '__main__':
    main()
