#!/usr/bin/env python
"""Write the privacy cards of encoders of the zoo from the results of their audits, or check them.

An encoder is found among the results by its numbers, whatever its name there. A card needs an audit
of it and one of clear video under the same panel, or a study of its randomised response.

Example:
    python tools/privacy_card.py --encoder bdq_hard_ixmas_take3
    python tools/privacy_card.py --check
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.encoders.zoo import CARDS, zoo_names
from bdq_plugin.evaluation.cards import card_files, write_card
from bdq_plugin.evaluation.overview import read_rates
from bdq_plugin.evaluation.randomized_response_study import KIND as RESPONSES
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.verification_study import KIND
from bdq_plugin.evaluation.zoo_cards import zoo_figures


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--encoder', nargs='+', help='zoo names; by default all')
    results = Path('results')
    parser.add_argument('--results', type=Path, default=results / 'audit')
    parser.add_argument('--verification', type=Path, default=results / 'verification')
    responses = results / 'randomized_response'
    parser.add_argument('--randomized-response', type=Path, default=responses)
    parser.add_argument('--rates', type=Path, default=Path('benchmarks/results/rates.json'))
    parser.add_argument('--data', default='ixmas', help='results of this data set')
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--out', type=Path, default=CARDS, help='folder of the cards')
    parser.add_argument('--check', action='store_true', help='write nothing; fail where it differs')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        results = read_results(args.results)
        studies = read_studies(args.verification, KIND)
        responses = read_studies(args.randomized_response, RESPONSES)
        where = dict(rates=read_rates(args.rates), data=args.data, protocol=args.protocol)
        stale = []
        for name in args.encoder or zoo_names():
            figures = zoo_figures(name, results, studies, responses, **where)
            if args.check:
                files = card_files(figures, args.out, name).items()
                stale += [str(p) for p, text in files if not p.is_file() or p.read_text() != text]
            else:
                for path in write_card(figures, args.out, name):
                    print(f'wrote {path}')
        if stale:
            raise ValueError(f'out of date: {", ".join(stale)}: run python tools/privacy_card.py')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
