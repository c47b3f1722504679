#!/usr/bin/env python
"""Put an encoder into the zoo, with the audits that tell what it leaks.

docs/extend.md says what else a new encoder of the zoo needs.

Example:
    python tools/publish_encoder.py work_dirs/x/encoder.json --name bdq_hard_ixmas_take \\
        --audit results/audit/ixmas/take/fold3/bdq_hard-hard-seed0-quick.json
    python tools/publish_encoder.py certified --name certified_48x64 --size 48x64 --grey \\
        --every 8
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.evaluation.data_arguments import size
from bdq_plugin.evaluation.publishing import publish


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='encoder.json of a training or a search, or a preset')
    parser.add_argument('--name', required=True, help='lower case letters, digits and "_"')
    parser.add_argument(
        '--size',
        type=size,
        metavar='HxW',
        help='of the frames for which it is, where its file does not say so',
    )
    parser.add_argument('--grey', action='store_true', help='with --size: one channel, not three')
    parser.add_argument('--every', type=int, help='it is for each n-th frame, as a search finds')
    parser.add_argument('--audit', type=Path, nargs='+', default=[], help='its audit results')
    parser.add_argument('--overwrite', action='store_true', help='replace an encoder of that name')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        frames = frames_of(args)
        path = publish(args.encoder, args.name, args.audit, args.overwrite, frames, args.every)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {path}')


def frames_of(args: argparse.Namespace) -> dict[str, int] | None:
    if args.size is None:
        if args.grey:
            raise ValueError('--grey goes with --size')
        return None
    height, width = args.size
    return dict(height=height, width=width, channels=1 if args.grey else 3)


if __name__ == '__main__':
    main()
