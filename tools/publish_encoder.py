#!/usr/bin/env python
"""Put a trained encoder into the zoo, with the audit that tells what it leaks.

Example:
    python tools/publish_encoder.py work_dirs/x/encoder.json --name bdq_hard_ixmas_take \\
        --audit results/audit/ixmas/take/fold3/bdq_hard-hard-seed0-quick.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bdq_plugin.evaluation.publishing import publish


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='encoder.json of a training run')
    parser.add_argument('--name', required=True, help='lower case letters, digits and "_"')
    parser.add_argument('--audit', type=Path, nargs='+', default=[], help='its audit results')
    parser.add_argument('--overwrite', action='store_true', help='replace an encoder of that name')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        path = publish(args.encoder, args.name, args.audit, args.overwrite)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {path}')


if __name__ == '__main__':
    main()
