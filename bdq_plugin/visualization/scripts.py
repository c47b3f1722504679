"""What the scripts of ``tools/figures`` that draw one run have in common."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from .logs import SOURCES, RunLog, read_run
from .style import save_figure


def read_runs(work_dirs: Sequence[str | os.PathLike], source: str) -> list[RunLog]:
    """Read runs, and say on standard error what of them could not be read."""
    logs = [read_run(folder, source) for folder in work_dirs]
    for warning in (warning for log in logs for warning in log.warnings):
        print(f'warning: {warning}', file=sys.stderr)
    return logs


def draw_run(
    draw: Callable[[RunLog], Figure], description: str, argv: Sequence[str] | None
) -> None:
    """Parse the command line, draw the run that it names, and write the figure.

    Args:
        draw: makes the figure.
        description: for ``--help``.
        argv: arguments; by default those of the process.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('work_dir', help='of tools/train.py')
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    parser.add_argument('--source', choices=SOURCES, default='auto')
    args = parser.parse_args(argv)
    try:
        (log,) = read_runs([args.work_dir], args.source)
        print(save_figure(draw(log), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
