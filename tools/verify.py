#!/usr/bin/env python
"""Measure how well clips of one person are told from clips of two, in clear video and in codes.

Example:
    python tools/verify.py --encoder bdq_hard --data ixmas --protocol take
    python tools/verify.py --name bdq_hard --encoder \
        work_dirs/audit/encoders/ixmas/take/fold{fold}/bdq_hard-seed0/encoder.json
    python tools/verify.py --encoder bdq_hard --check
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.evaluation.study_command import parser_of, run_command
from bdq_plugin.evaluation.verification_study import KIND, measure


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, KIND)
    parser.add_argument('--components', type=int, default=64, help="of the matchers' PCA")
    parser.add_argument(
        '--unseen-splits', type=int, default=2, help='parts of the people, each unseen in turn'
    )
    run_command(
        parser, KIND, lambda args: measure(args.components, args.unseen_splits, args.families), argv
    )


if __name__ == '__main__':
    main()
