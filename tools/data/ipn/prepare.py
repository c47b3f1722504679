#!/usr/bin/env python
"""Write the annotation file of IPN Hand.

Videos and annotations are at https://gibranbenitez.github.io/IPN_Hand/ (CC BY 4.0; cite the paper).

Example:
    python tools/data/ipn/prepare.py data/ipn/videos data/ipn/annotations \\
        --out data/ipn/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_ipn
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('video_dir', help='folder of the videos')
    parser.add_argument(
        'annotation_dir', help='folder of Annot_TrainList.txt, Annot_TestList.txt, metadata.csv'
    )
    args = parser.parse_args(argv)
    run(prepare_ipn, args, args.video_dir, args.annotation_dir)


if __name__ == '__main__':
    main()
