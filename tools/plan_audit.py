#!/usr/bin/env python
"""Say how wide the interval of an audit will be, for so many people and test clips of each.

Half of a 95 % interval, in points, of the share of clips whose person is named; Student's t over
people. Clips are taken to be independent within a person; where several show one performance,
count performances.

Example:
    python tools/plan_audit.py
    python tools/plan_audit.py --people 12 24 --clips 9 --rate 20 --spread 15
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bdq_plugin import markdown
from bdq_plugin.evaluation.statistics import Variances, expected_width


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--people', type=int, nargs='+', default=[3, 10, 20, 40])
    parser.add_argument('--clips', type=int, nargs='+', default=[3, 12, 36], help='of each person')
    parser.add_argument('--rate', type=float, default=50, help='expected share named, %%')
    parser.add_argument(
        '--spread', type=float, default=25, help='standard deviation from person to person, points'
    )
    args = parser.parse_args(argv)
    try:
        print(table(args.people, args.clips, args.rate, args.spread))
    except ValueError as error:
        sys.exit(f'error: {error}')


def table(people: Sequence[int], clips: Sequence[int], rate: float, spread: float) -> str:
    """Markdown, one row for each number of people."""
    if not 0 < rate < 100 or spread < 0:
        raise ValueError(f'--rate is between 0 and 100, --spread 0 or more; got {rate}, {spread}')
    share = rate / 100
    variances = Variances(between=(spread / 100) ** 2, within=share * (1 - share))
    first = f'{clips[0]} test clips of each' if clips[0] > 1 else '1 test clip of each'
    rows = []
    for count in people:
        widths = [50 * expected_width(variances, count, each) for each in clips]
        # A share lies within 100 points: what is wider says nothing.
        shown = ['all' if width >= 50 else f'{width:.0f}' for width in widths]
        rows.append([count, *shown])
    return markdown.table(['people', first, *clips[1:]], rows)


if __name__ == '__main__':
    main()
