#!/usr/bin/env python
"""Write a small synthetic data set in KTH's own format, to try everything without a download.

Example:
    python tools/data/synthetic/make_kth.py data/synthetic
    python tools/data/kth/prepare.py data/synthetic/videos \\
        --sequences data/synthetic/00sequences.txt --out data/synthetic/annotations.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.synthetic import make_kth


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', help='folder to write to')
    parser.add_argument('--subjects', type=int, default=5, help='1 to 25')
    parser.add_argument('--scenarios', type=int, default=4, help='1 to 4')
    parser.add_argument('--frames-per-sequence', type=int, default=36)
    parser.add_argument('--size', type=int, nargs=2, default=(160, 120), metavar=('W', 'H'))
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        videos = make_kth(
            args.root,
            subjects=args.subjects,
            scenarios=args.scenarios,
            frames_per_sequence=args.frames_per_sequence,
            size=tuple(args.size),
            seed=args.seed,
        )
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {len(videos)} videos to {args.root}')


if __name__ == '__main__':
    main()
