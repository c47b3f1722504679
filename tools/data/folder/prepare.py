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

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_folder
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('video_dir', help='folder of the videos, of any depth')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--pattern', help='of the paths below VIDEO_DIR, with {action}, {subject}')
    labels.add_argument('--table', help='CSV or TSV with video, action, subject')
    labels.add_argument('--list', help="MMAction2's text list, with the subject on each line")
    parser.add_argument('--labels', help="names of the list's labels, one a line")
    parser.add_argument('--min-frames', type=int, default=1, help='leave shorter clips out')
    args = parser.parse_args(argv)
    run(
        prepare_folder,
        args,
        args.video_dir,
        pattern=args.pattern,
        table=args.table,
        text_list=args.list,
        labels=args.labels,
        min_frames=args.min_frames,
    )


if __name__ == '__main__':
    main()
