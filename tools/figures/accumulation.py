#!/usr/bin/env python3
"""Draw what linking clips of one person gives away, a curve for each encoder.

Example:
    python tools/figures/accumulation.py docs/images/accumulation.png --output hard
"""

import argparse
import sys

from bdq_plugin.evaluation.candidates import OUTPUTS
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.visualization import accumulation_curves, save_figure


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('--results', default='results/audit')
    parser.add_argument('--data', default='ixmas')
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--panel', default='quick')
    parser.add_argument('--encoders', nargs='+', help='only these')
    parser.add_argument('--output', choices=OUTPUTS, help='only this form')
    args = parser.parse_args(argv)
    try:
        wanted = (args.data, args.protocol, args.panel)
        rows = [
            row
            for row in pool(read_results(args.results))
            if (row.data, row.protocol, row.panel) == wanted
            and (args.encoders is None or row.encoder in args.encoders)
            and args.output in (None, row.output)
        ]
        curves = {f'{row.encoder} ({row.output})': row.accumulation() for row in rows}
        if not rows:
            raise ValueError(f'no audit result of {wanted}: run tools/audit.py first')
        print(save_figure(accumulation_curves(curves, rows[0].leakage.chance), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
