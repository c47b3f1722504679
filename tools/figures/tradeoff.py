#!/usr/bin/env python3
"""Draw every audited encoder: the person in one clip and in linked ones, and the action.

Example:
    python tools/figures/tradeoff.py docs/images/tradeoff.png
"""

import argparse
import sys

from bdq_plugin.evaluation.pooling import audited_on, pool
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.visualization import save_figure, tradeoff


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('--results', default='results/audit')
    parser.add_argument('--data', default='ixmas')
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--panel', help="only this; by default as README's table, all of them")
    parser.add_argument('--encoders', nargs='+', help='only these')
    args = parser.parse_args(argv)
    try:
        rows = [
            row
            for row in pool(read_results(args.results))
            if audited_on(row) == (args.data, args.protocol)
            and args.panel in (None, row.panel)
            and (args.encoders is None or row.encoder in args.encoders)
        ]
        print(save_figure(tradeoff(rows), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
