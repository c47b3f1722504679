"""Write the measured tables into docs/deploy.md and docs/performance.md, between their markers.

    python -m benchmarks.docs

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, NAME that of its study:
a module here, whose ``table`` shows its results.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

from .harness import RESULTS

DOCS = Path(__file__).resolve().parents[1] / 'docs'
STUDIES_OF_PAGE = {
    'deploy.md': ('streaming', 'writing', 'packing', 'recognition'),
    'performance.md': ('encoder', 'kernels', 'data', 'game', 'scale', 'end_to_end'),
}


def fill(page: str, studies: tuple[str, ...]) -> str:
    """The page with the tables of those studies that have results."""
    for name in studies:
        study = importlib.import_module(f'.{name}', __package__)
        path = getattr(study, 'RESULTS', RESULTS / f'{name}.json')
        if path.is_file():
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
    for name, studies in STUDIES_OF_PAGE.items():
        page = DOCS / name
        page.write_text(fill(page.read_text(), studies))
