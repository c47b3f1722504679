#!/usr/bin/env python
"""Write SBU Kinect Interaction as lossless videos, and its annotation file.

The 21 sets are at https://www3.cs.stonybrook.edu/~kyun/research/kinect_interaction/ (research; cite
the paper). Unpack them into one folder, s01s02/s01s02/01/001/rgb_000001.png and so on.

Example:
    python tools/data/sbu/prepare.py data/sbu/raw data/sbu/videos --out data/sbu/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_sbu
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help='folder of the unpacked sets')
    parser.add_argument('video_dir', help='folder of the videos to write')
    args = parser.parse_args(argv)
    run(prepare_sbu, args, args.raw_dir, args.video_dir)


if __name__ == '__main__':
    main()
