#!/usr/bin/env python
"""Copy the videos whose frames were kept, and write the list of their names.

Example:
    python tools/data/ixmas/select_videos.py data/ixmas/raw work_dirs/ixmas_frames data/ixmas/videos
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.preparation import select_videos


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('raw_dir', help='folder of the videos')
    parser.add_argument('frames_dir', help='folder of the frames that were kept')
    parser.add_argument('out_dir', help='folder to copy the videos to')
    parser.add_argument('--names', help='list of names to write (default: OUT_DIR/selected.txt)')
    parser.add_argument('--overwrite', action='store_true', help='replace the list if it exists')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        kept = select_videos(
            args.raw_dir, args.frames_dir, args.out_dir, args.names, args.overwrite
        )
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'copied {len(kept)} videos to {args.out_dir}')


if __name__ == '__main__':
    main()
