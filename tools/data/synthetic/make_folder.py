#!/usr/bin/env python
"""Write a small folder of synthetic colour videos, ACTION/SUBJECT_TAKE.mp4, as if they were yours.

Example:
    python tools/data/synthetic/make_folder.py data/own/videos
    python tools/data/folder/prepare.py data/own/videos \\
        --pattern '{action}/{subject}_{take}.mp4' --out data/own/annotations.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.synthetic import make_folder


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', help='folder to write to')
    parser.add_argument('--actions', nargs='+', default=('boxing', 'handwaving', 'walking'))
    parser.add_argument('--subjects', nargs='+', default=('anna', 'ben', 'carla'))
    parser.add_argument('--takes', type=int, default=3)
    parser.add_argument('--frames', type=int, default=40)
    parser.add_argument('--size', type=int, nargs=2, default=(96, 72), metavar=('W', 'H'))
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        videos = make_folder(
            args.root,
            actions=args.actions,
            subjects=args.subjects,
            takes=args.takes,
            frames=args.frames,
            size=tuple(args.size),
            seed=args.seed,
        )
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {len(videos)} videos to {args.root}')


if __name__ == '__main__':
    main()
