#!/usr/bin/env python3
"""Write the figures of results/stress/ into docs/reliability.md, between their markers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE, RESULTS = ROOT / 'docs' / 'reliability.md', ROOT / 'results' / 'stress'
MARK = re.compile(r'(<!-- stress:(\w+)\.(\w+) -->)[^<|]*(<!-- /stress -->)')


def fill(text: str, results: Path) -> str:
    """Replace what stands between ``<!-- stress:FILE.KEY -->`` and ``<!-- /stress -->``."""

    def figure(match: re.Match) -> str:
        path = results / f'{match[2]}.json'
        figures = json.loads(path.read_text()) if path.is_file() else {}
        found = figures.get(match[3], 'not measured')
        return f'{match[1]}{found}{match[4]}'

    return MARK.sub(figure, text)


def main() -> None:
    temporary = PAGE.with_name(f'.{PAGE.name}.{os.getpid()}.tmp')
    temporary.write_text(fill(PAGE.read_text(), RESULTS))
    os.replace(temporary, PAGE)
    print(f'wrote {PAGE}')


if __name__ == '__main__':
    main()
