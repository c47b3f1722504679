#!/usr/bin/env python3
"""Test by config: python tools/test.py configs/bdq_kth.py work_dirs/bdq_kth/epoch_50.pth"""

import argparse
import os

from mmengine.config import DictAction

from bdq_plugin.engine.first_checks import one_sentence
from bdq_plugin.engine.launch import load_config, test


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a checkpoint on the test split')
    parser.add_argument('config', help='a Python config')
    parser.add_argument('checkpoint', help='a checkpoint of tools/train.py')
    parser.add_argument('--work-dir', help='outputs; default work_dirs/NAME_OF_CONFIG')
    parser.add_argument('--out', help='write the metrics to this JSON file')
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
            args.config, options=args.cfg_options, work_dir=args.work_dir, launcher=args.launcher
        )
        test(cfg, args.checkpoint, args.out)


if __name__ == '__main__':
    main()
