"""Write the measured tables into docs/deploy.md and docs/performance.md, between their markers.

    python -m benchmarks.docs

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, NAME that of its results.
"""

from __future__ import annotations

import importlib
import json
import re
import statistics
from pathlib import Path

RESULTS = Path(__file__).parent / 'results'
PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'deploy.md'
PERFORMANCE = PAGE.with_name('performance.md')
# Each has a module here, whose ``table`` shows its results.
STUDIES = ('encoder', 'data', 'game', 'scale')


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
    # Of speed, that of the videos of 120 x 160: it is the steadiest there.
    large = [row for row in results['rows'] if row['size'] == '160 x 120']
    names = ('bdq context', 'bdq zstd', 'mkv')
    speed = ', '.join(
        f'`{name}` {statistics.median(row["written_megapixels_s"][name] for row in large):.0f}'
        for name in names
    )
    shares = [
        row['codes_kbit_s']['bdq context'] / row['codes_kbit_s']['mkv'] for row in results['rows']
    ]
    note = (
        f'`bdq context` takes {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the bits of '
        f'the `mkv`. Million codes written a second on one core, median: {speed}.'
    )
    return f'{rows_to_table(["video", "encoder", "source", *kinds], rows)}\n\n{note}'


def recognition_table(results: dict) -> str:
    rows = [
        [row['config'], row['reads'], row['windows_a_clip'], row['codes_kbit_s'] or '', row['top1']]
        for row in results['rows']
    ]
    clips = results['rows'][0]['clips']
    note = (
        f'{clips} test clips of {results["data"]}, protocol {results["protocol"]}, fold '
        f'{results["fold"]}; encoder {results["encoder"]}; {results["epochs"]} epochs, one run. '
        f'From codes and from clear video the first recipe gives the same label for '
        f'{results["same_label_from_codes_and_clear_video"]} clips.'
    )
    head = ['recipe', 'reads', 'windows a clip', 'kbit/s', 'top-1, %']
    return f'{rows_to_table(head, rows)}\n\n{note}'


TABLES = {
    'streaming': (RESULTS / 'streaming.json', streaming_table),
    'packing': (RESULTS / 'packing.json', packing_table),
    'recognition': (PAGE.parents[1] / 'results' / 'camera' / 'recognition.json', recognition_table),
}


def fill(page: str) -> str:
    """The page with the tables of the current results."""
    for name, (path, table) in TABLES.items():
        page = put(page, name, table(json.loads(path.read_text())))
    return page


def fill_performance(page: str) -> str:
    """The page on performance with the tables of those studies that have results."""
    for name in STUDIES:
        path = RESULTS / f'{name}.json'
        if path.is_file():
            study = importlib.import_module(f'.{name}', __package__)
            page = put(page, name, study.table(json.loads(path.read_text())))
    return page


def put(page: str, name: str, text: str) -> str:
    """The page with ``text`` between the markers of ``name``.

    Raises:
        ValueError: the page does not have exactly one place for it.
    """
    pattern = re.compile(f'(<!-- begin {name} -->\n).*?(<!-- end {name} -->)', re.DOTALL)
    page, count = pattern.subn(lambda m: f'{m[1]}{text}\n{m[2]}', page)
    if count != 1:
        raise ValueError(f'the page has {count} places for the table {name}, it needs one')
    return page


if __name__ == '__main__':
    PAGE.write_text(fill(PAGE.read_text()))
    PERFORMANCE.write_text(fill_performance(PERFORMANCE.read_text()))
