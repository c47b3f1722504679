#!/usr/bin/env python
"""Write the annotation file of IXMAS (ROI version).

Example:
    python tools/data/ixmas/prepare.py data/ixmas/videos \\
        --names selected_720 --out data/ixmas/annotations.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_ixmas


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('raw_dir', help='folder of the videos, flat or one folder an action')
    parser.add_argument('--actions', choices=('six', 'all'), default='six')
    parser.add_argument(
        '--names',
        help='list of the videos to use, one name a line, or "selected_720" for the shipped one',
    )
    parser.add_argument('--out', required=True, help='annotation file (CSV) to write')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        print(prepare_ixmas(args.raw_dir, args.out, args.actions, args.names, args.overwrite))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
