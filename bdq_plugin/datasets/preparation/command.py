"""What the preparation tools of ``tools/data`` share: their options, their report, their errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from .clips import PreparationReport


def parser_of(doc: str) -> argparse.ArgumentParser:
    """A parser with the options that every preparation has.

    Args:
        doc: the tool's docstring.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', required=True, help='annotation file (CSV) to write')
    parser.add_argument('--overwrite', action='store_true', help='replace the file if it exists')
    parser.add_argument('--verbose', action='store_true', help='name all files that are left out')
    return parser


def run(
    prepare: Callable[..., PreparationReport], args: argparse.Namespace, *inputs: Any, **more: Any
) -> None:
    """Prepare ``inputs`` into ``args.out`` and print the report, or the error as one sentence."""
    try:
        report = prepare(*inputs, args.out, overwrite=args.overwrite, **more)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(report.describe(sys.maxsize if args.verbose else 5))
    print(f'wrote {args.out}')
