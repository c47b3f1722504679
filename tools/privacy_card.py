#!/usr/bin/env python
"""Write the privacy card of an encoder from the figures of its audit.

Example:
    python tools/privacy_card.py figures.json cards/bdq_hard
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.evaluation.cards import read_figures, write_card


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('figures', type=Path, help='JSON of bdq_plugin.evaluation.cards')
    parser.add_argument('out', type=Path, help='folder of README.md and eval_results.yaml')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        for path in write_card(read_figures(args.figures), args.out):
            print(f'wrote {path}')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
