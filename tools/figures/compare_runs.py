#!/usr/bin/env python3
"""Draw the validation accuracy of several runs in one figure.

Example:
    python tools/figures/compare_runs.py compare.pdf work_dirs/demo/clear work_dirs/demo/bdq
"""

import argparse
import dataclasses
import sys

from bdq_plugin.visualization import compare_runs, save_figure
from bdq_plugin.visualization.logs import SOURCES
from bdq_plugin.visualization.scripts import read_runs


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('work_dirs', nargs='+', help='of tools/train.py')
    parser.add_argument('--names', nargs='+', help="one a run; by default the folders' names")
    parser.add_argument('--source', choices=SOURCES, default='auto')
    args = parser.parse_args(argv)
    if args.names and len(args.names) != len(args.work_dirs):
        parser.error(f'{len(args.work_dirs)} runs, but {len(args.names)} names')
    try:
        logs = read_runs(args.work_dirs, args.source)
        names = args.names or [log.name for log in logs]
        named = [dataclasses.replace(log, name=n) for log, n in zip(logs, names, strict=True)]
        print(save_figure(compare_runs(named), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
