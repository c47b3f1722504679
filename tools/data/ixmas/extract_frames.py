#!/usr/bin/env python
"""Write the middle frame of each video as a PNG, to choose videos by eye.

Delete the frames of the videos you do not want, then run select_videos.py.

Example:
    python tools/data/ixmas/extract_frames.py data/ixmas/raw work_dirs/ixmas_frames
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.preparation import extract_middle_frames


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('raw_dir', help='folder of the videos')
    parser.add_argument('out_dir', help='folder of the frames to write')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        unreadable = extract_middle_frames(args.raw_dir, args.out_dir)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    for reason in unreadable:
        print(f'unreadable: {reason}')
    print(f'frames are in {args.out_dir}')


if __name__ == '__main__':
    main()
