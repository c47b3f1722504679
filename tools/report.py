#!/usr/bin/env python3
"""Write one self-contained HTML file about runs or audits; it opens without a network.

Example:
    python tools/report.py work_dirs/bdq_kth
    python tools/report.py work_dirs/ixmas_cpu/fold3 --audit results/audit --out report.html
    python tools/report.py results/audit --out audit.html
"""

import argparse
import sys

from bdq_plugin.visualization.report import Options, write_report


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'folder', help='work directory of a run, a folder of such, or one of audit results'
    )
    parser.add_argument('--out', help='HTML file; by default report.html in the folder')
    parser.add_argument('--audit', help='folder of audit results, shown after the runs')
    parser.add_argument('--clips', type=int, default=2, help='number of sample clips')
    parser.add_argument('--clear', action='store_true', help='show the sample clips in clear too')
    parser.add_argument('--data-root', help="folder of the videos; by default the config's")
    parser.add_argument('--ann-file', help="annotation file; by default the config's")
    args = parser.parse_args(argv)
    options = Options(args.clips, args.clear, args.data_root, args.ann_file)
    try:
        print(write_report(args.folder, args.out, args.audit, options))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
