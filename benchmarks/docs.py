"""Write the measured tables into docs/deploy.md, between their markers.

    python -m benchmarks.docs

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, NAME that of its results.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

RESULTS = Path(__file__).parent / 'results'
PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'deploy.md'


def rows_to_table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def streaming_table(results: dict) -> str:
    rows = [
        [size, what, row['median_fps'], row['best_fps'], row['time_over_floor']]
        for size, measured in results['frames_per_second'].items()
        for what, row in measured.items()
    ]
    head = ['frames', 'what', 'frames/s, median', 'best', 'time over the floor']
    versions = ', '.join(f'{name} {version}' for name, version in results['versions'].items())
    note = (
        f'{results["cpu"]}, one core, {versions}; {results["rounds"]} rounds on a shared machine '
        f'(load {results["load_average_at_start"]}).'
    )
    return f'{rows_to_table(head, rows)}\n\n{note}'


def packing_table(results: dict) -> str:
    kinds = list(results['rows'][0]['codes_kbit_s'])
    rows = [
        [row['video'], row['encoder'], row['source_kbit_s'], *row['codes_kbit_s'].values()]
        for row in results['rows']
    ]
    return rows_to_table(['video', 'encoder', 'source', *kinds], rows)


def fill(page: str) -> str:
    """The page with the tables of the current results."""
    for name, table in (('streaming', streaming_table), ('packing', packing_table)):
        text = table(json.loads((RESULTS / f'{name}.json').read_text()))
        pattern = re.compile(f'(<!-- begin {name} -->\n).*?(<!-- end {name} -->)', re.DOTALL)
        page, count = pattern.subn(lambda m, t=text: f'{m[1]}{t}\n{m[2]}', page)
        if count != 1:
            raise ValueError(f'{PAGE} has {count} places for the table {name}, it needs one')
    return page


if __name__ == '__main__':
    PAGE.write_text(fill(PAGE.read_text()))
