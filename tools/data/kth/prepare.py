#!/usr/bin/env python
"""Write the annotation file of KTH.

Example:
    python tools/data/kth/prepare.py data/kth/videos --out data/kth/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.kth import KTH_INDEX
from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help='folder of the videos, flat or one folder an action')
    parser.add_argument('--sequences', default=KTH_INDEX, help='00sequences.txt (one is shipped)')
    args = parser.parse_args(argv)
    run(prepare_kth, args, args.raw_dir, index=args.sequences)


if __name__ == '__main__':
    main()
