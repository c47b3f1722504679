#!/usr/bin/env python
"""Write the annotation file of UCF101 or HMDB51, from MMAction2's lists or UCF101's own.

Example:
    python tools/data/ucf_hmdb/prepare.py data/ucf101/videos data/ucf101/lists \\
        --out data/ucf101/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_lists
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help='folder of the videos, one folder an action')
    parser.add_argument(
        'list_dir', help='folder of ucf101_train_split_1_videos.txt (or trainlist01.txt) and so on'
    )
    args = parser.parse_args(argv)
    run(prepare_lists, args, args.raw_dir, args.list_dir)


if __name__ == '__main__':
    main()
