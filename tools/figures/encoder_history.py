#!/usr/bin/env python3
"""Draw thresholds, sigma and range of a run over its training."""

import argparse
import sys

from bdq_plugin.visualization import encoder_history, read_run, save_figure
from bdq_plugin.visualization.logs import SOURCES


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='of tools/train.py')
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('--source', choices=SOURCES, default='auto')
    args = parser.parse_args(argv)
    try:
        log = read_run(args.work_dir, args.source)
        for warning in log.warnings:
            print(f'warning: {warning}', file=sys.stderr)
        print(save_figure(encoder_history(log), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
