"""Pages of Markdown whose tables and figures are made from results.

A place begins with ``<!-- KIND:NAME -->`` and ends with ``<!-- /KIND -->``, on lines of their own
for a table, within a line for a figure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .atomic_files import write_text

_BEGIN = r'<!-- (?P<kind>\w+):(?P<name>[\w.@/]+) -->'
_PLACE = re.compile(rf'(?P<begin>{_BEGIN}\n?).*?(?P<end><!-- /(?P=kind) -->)', re.DOTALL)


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A table, without a line feed behind it."""
    head = list(head)
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(map(str, cells))} |' for cells in lines)


def places(text: str) -> list[str]:
    """``KIND:NAME`` of each place of a page.

    Raises:
        ValueError: one that does not end.
    """
    begun, whole = list(re.finditer(_BEGIN, text)), {m.start() for m in _PLACE.finditer(text)}
    for match in begun:
        if match.start() not in whole:
            raise ValueError(f'{match[0]} has no <!-- /{match["kind"]} --> behind it')
    return [f'{match["kind"]}:{match["name"]}' for match in begun]


def fill(text: str, makers: Mapping[str, Callable[[str], object]]) -> str:
    """Write what stands in each place anew.

    Args:
        text: a page.
        makers: by kind, what gives the content for a name.

    Raises:
        ValueError: a place of another kind, or one that does not end.
    """
    for place in places(text):
        if place.split(':')[0] not in makers:
            raise ValueError(f'<!-- {place} -->: nothing makes it; kinds are {", ".join(makers)}')

    def anew(match: re.Match) -> str:
        content = str(makers[match['kind']](match['name'])).strip('\n')
        return match['begin'] + content + ('\n' * match['begin'].count('\n')) + match['end']

    return _PLACE.sub(anew, text)


def fill_page(
    path: str | os.PathLike, makers: Mapping[str, Callable[[str], object]], check: bool = False
) -> bool:
    """Fill a page, or only look at it.

    Returns:
        Whether it was as it must be before.
    """
    old = Path(path).read_text(encoding='utf-8')
    new = fill(old, makers)
    if new != old and not check:
        write_text(path, new)
    return new == old
