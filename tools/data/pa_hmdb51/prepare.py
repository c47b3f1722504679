#!/usr/bin/env python
"""Write the annotation file of PA-HMDB51: videos of HMDB51 with five privacy attributes.

Labels: https://github.com/VITA-Group/PA-HMDB51, folder PrivacyAttributes (cite the paper).

Example:
    python tools/data/pa_hmdb51/prepare.py data/hmdb51/videos data/hmdb51/PrivacyAttributes \\
        --out data/hmdb51/attributes.csv
"""

from __future__ import annotations

from collections.abc import Sequence

from bdq_plugin.datasets.preparation import prepare_pa_hmdb51
from bdq_plugin.datasets.preparation.command import parser_of, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument('raw_dir', help="folder of HMDB51's videos, one folder an action")
    parser.add_argument('attribute_dir', help='folder of ACTION.json')
    args = parser.parse_args(argv)
    run(prepare_pa_hmdb51, args, args.raw_dir, args.attribute_dir)


if __name__ == '__main__':
    main()
