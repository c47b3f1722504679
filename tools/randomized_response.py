#!/usr/bin/env python
"""Measure what randomised response leaves of the action and of the person, beside its bounds.

The bounds alone, without data, are printed by tools/certify.py.

Example:
    python tools/randomized_response.py --encoder certified --data ixmas --folds 3
    python tools/randomized_response.py --encoder certified --flips 0 0.3 0.45 --check
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.evaluation.randomized_response_study import EVERY, FLIPS, KIND, measure
from bdq_plugin.evaluation.study_command import parser_of, run_command


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, KIND, rate=str(EVERY))
    parser.add_argument(
        '--flips', type=float, nargs='+', default=FLIPS, help='probabilities, 0 for no flips'
    )
    parser.add_argument('--encodings', type=int, default=3, help='draws of each training clip')
    run_command(
        parser,
        KIND,
        lambda args: measure(
            args.flips, EVERY if args.every is None else args.every, args.encodings, args.families
        ),
        argv,
        rate_is_the_datas=False,
    )


if __name__ == '__main__':
    main()
