#!/usr/bin/env python
"""Put a trained action network into the zoo, with what it gets right of its test clips.

Example:
    python tools/train.py configs/bdq_ixmas_cpu_blocks_action.py
    python tools/publish_network.py work_dirs/bdq_ixmas_cpu_blocks_action --name ixmas_six_blocks
    python tools/recognize.py zoo:ixmas_six_blocks clip.avi
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.deploy.publishing import publish_network
from bdq_plugin.network_file import read_network


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dir', type=Path, help='of a finished training of stage 2')
    parser.add_argument('--name', required=True, help='lower case letters, digits and "_"')
    parser.add_argument('--out', type=Path, help='folder to write it to instead of the zoo')
    parser.add_argument('--overwrite', action='store_true', help='replace a network of that name')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        path = publish_network(args.work_dir, args.name, overwrite=args.overwrite, folder=args.out)
        facts = read_network(path).facts
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    test = facts['test']
    size = f'{path.stat().st_size:,} bytes'
    print(f'wrote {path}, {size}: {test["top1"]} % of {test["clips"]} test clips')


if __name__ == '__main__':
    main()
