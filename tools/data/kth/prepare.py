#!/usr/bin/env python
"""Write the annotation file of KTH.

Example:
    python tools/data/kth/prepare.py data/kth/videos --out data/kth/annotations.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.kth import KTH_INDEX
from bdq_plugin.datasets.preparation import prepare_kth


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('raw_dir', help='folder of the videos, flat or one folder an action')
    parser.add_argument('--sequences', default=KTH_INDEX, help='00sequences.txt (one is shipped)')
    parser.add_argument('--out', required=True, help='annotation file (CSV) to write')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        print(prepare_kth(args.raw_dir, args.out, args.sequences, args.overwrite))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
