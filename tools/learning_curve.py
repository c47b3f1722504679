#!/usr/bin/env python
"""Measure leakage against the number of performances that an attacker has of each person.

Example:
    python tools/learning_curve.py --encoder bdq_hard --data ixmas --protocol take
    python tools/learning_curve.py --encoder pass_through --sizes 2 4 8
    python tools/learning_curve.py --encoder bdq_hard --check
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.evaluation.learning_curve_study import KIND, SIZES, measure
from bdq_plugin.evaluation.study_command import parser_of, run_command


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, KIND)
    parser.add_argument(
        '--sizes', type=int, nargs='+', default=SIZES, help='performances of each person'
    )
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0, 1, 2], help='which performances are taken'
    )
    run_command(parser, KIND, lambda args: measure(args.sizes, args.seeds, args.families), argv)


if __name__ == '__main__':
    main()
