#!/usr/bin/env python3
"""Draw leakage against the clips that the attacker learned from, a curve for each encoder.

Example:
    python tools/figures/learning_curve.py docs/images/learning_curve.png
"""

import argparse
import sys

from bdq_plugin.evaluation.learning_curve_study import KIND, points_of
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.visualization import learning_curve, save_figure


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('--results', default=f'results/{KIND}')
    parser.add_argument('--data', default='ixmas')
    parser.add_argument('--protocol', default='take')
    parser.add_argument('--encoders', nargs='+', help='only these')
    args = parser.parse_args(argv)
    try:
        documents = [
            document
            for document in read_studies(args.results, KIND, args.data, args.protocol)
            if args.encoders is None or document['study']['encoder'] in args.encoders
        ]
        if not documents:
            raise ValueError(f'no result in {args.results}: run tools/learning_curve.py first')
        curves = {
            f'{document["study"]["encoder"]} ({document["study"]["output"]})': points_of(document)
            for document in documents
        }
        print(save_figure(learning_curve(curves, documents[0]['chance']), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
