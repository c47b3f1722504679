#!/usr/bin/env python
"""Write the annotation file of VISPR: still images with privacy attributes.

Images and labels are at https://tribhuvanesh.github.io/vpa/ (research; cite the paper).

Example:
    python tools/data/vispr/prepare.py data/vispr --out data/vispr/annotations.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_vispr
from bdq_plugin.datasets.preparation.attributes import VISPR_ATTRIBUTES
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help='folder of train2017, val2017, test2017 and their labels')
    parser.add_argument(
        '--attributes', nargs='+', default=VISPR_ATTRIBUTES, help='by default the seven of SPAct'
    )
    args = parser.parse_args(argv)
    run(prepare_vispr, args, args.raw_dir, attributes=args.attributes)


if __name__ == '__main__':
    main()
