#!/usr/bin/env python
"""Write the annotation file of your own videos.

Examples:
    python tools/data/folder/prepare.py VIDEOS --out own.csv --pattern '{action}/{subject}_{take}'
    python tools/data/folder/prepare.py VIDEOS --out own.csv --pattern 'A{action:d}P{subject:d}T*'
    python tools/data/folder/prepare.py VIDEOS --out own.csv --table clips.csv
    python tools/data/folder/prepare.py VIDEOS --out own.csv --list train.txt --labels names.txt

A table has the columns video, action and subject, and any others: take, camera, session, split,
start and end (seconds, or h:mm:ss), attributes. A list has a line PATH LABEL SUBJECT for each clip.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_folder


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('video_dir', help='folder of the videos, of any depth')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--pattern', help='of the paths below VIDEO_DIR, with {action}, {subject}')
    labels.add_argument('--table', help='CSV or TSV with video, action, subject')
    labels.add_argument('--list', help="MMAction2's text list, with the subject on each line")
    parser.add_argument('--labels', help="names of the list's labels, one a line")
    parser.add_argument('--min-frames', type=int, default=1, help='leave shorter clips out')
    parser.add_argument('--out', required=True, help='annotation file (CSV) to write')
    parser.add_argument('--verbose', action='store_true', help='name all files that are left out')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        report = prepare_folder(
            args.video_dir,
            args.out,
            pattern=args.pattern,
            table=args.table,
            text_list=args.list,
            labels=args.labels,
            min_frames=args.min_frames,
            overwrite=args.overwrite,
        )
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(report.describe(sys.maxsize if args.verbose else 5))
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
