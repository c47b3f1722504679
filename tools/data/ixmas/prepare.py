#!/usr/bin/env python
"""Write the annotation file of IXMAS (ROI version).

Example:
    python tools/data/ixmas/prepare.py data/ixmas/videos \\
        --names selected_720 --out data/ixmas/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_ixmas
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help='folder of the videos, flat or one folder an action')
    parser.add_argument('--actions', choices=('six', 'all'), default='six')
    parser.add_argument(
        '--names',
        help='list of the videos to use, one name a line, or "selected_720" for the shipped one',
    )
    args = parser.parse_args(argv)
    run(prepare_ixmas, args, args.raw_dir, actions=args.actions, names=args.names)


if __name__ == '__main__':
    main()
