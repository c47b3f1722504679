#!/usr/bin/env python
"""Write the privacy card of an encoder of the zoo from the results of its audit.

The encoder is found among the audits by its numbers, whatever its name there. Clear video must have
been audited under the same panel.

Example:
    python tools/privacy_card.py --encoder bdq_hard_ixmas_take3 --results results/audit
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.encoders.zoo import CARDS, zoo_names
from bdq_plugin.evaluation.cards import write_card
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.verification_study import KIND
from bdq_plugin.evaluation.zoo_cards import zoo_figures


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--encoder', nargs='+', help='zoo names; by default all')
    parser.add_argument('--results', type=Path, default=Path('results/audit'))
    parser.add_argument('--verification', type=Path, default=Path('results/verification'))
    parser.add_argument('--panel', help='by default the one with most attackers')
    parser.add_argument('--kbit-per-second', type=float, help='measured rate of the codes')
    parser.add_argument('--out', type=Path, default=CARDS, help='folder of the cards')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        results = read_results(args.results)
        studies = read_studies(args.verification, KIND)
        for name in args.encoder or zoo_names():
            figures = zoo_figures(name, results, studies, args.panel, args.kbit_per_second)
            for path in write_card(figures, args.out, name):
                print(f'wrote {path}')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
