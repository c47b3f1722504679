"""The annotation file: one table a data set, a header line, one row a clip.

``video`` is a path relative to the folder of videos. Frame ranges are 0-based, ``start_frame``
inclusive, ``end_frame`` exclusive, so that a clip has ``end_frame - start_frame`` frames.
``num_frames`` and ``sha256`` say how the video was when it was prepared. Every further column is
the data set's own: take, camera, session, split, attributes.

Tables are written as UTF-8 with commas. They are read as people's programs write them: commas,
semicolons or tabs; a byte order mark; UTF-8, UTF-16 or Windows-1252; blank lines, a missing last
newline, names of columns in capitals.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from ..atomic_files import atomic_path
from ..text_files import as_text, read_text
from ..video.files import printable

Row = dict[str, str | int | float]

TEXT_COLUMNS = ('video', 'action', 'subject', 'sha256')
# Of the video and of the clip's place in it, not of what it shows.
FILE_COLUMNS = ('start_frame', 'end_frame', 'num_frames', 'width', 'height', 'fps', 'sha256')

# Of a whole number, not of the places behind a decimal point.
_LEADING_ZEROS = re.compile(r'(?<![\d.,])0+(?=\d)')
_DELIMITERS = '\t;,'
# Of a long list in a message, so many are written out.
_LISTED = 5


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: where it is from.
        columns: names of the columns, in lower case.
        rows: one dict a line that is not blank.
        lines: number of the line that each row ends on, from 1.
        guessed: the first text that is no UTF-8 and was read as Windows-1252, if any.
    """

    path: str
    columns: tuple[str, ...]
    rows: list[dict[str, str]]
    lines: list[int]
    guessed: str | None = None

    def require(self, columns: Sequence[str], filled: bool = True) -> None:
        """Raise ValueError where a column is missing, or has no value in some line."""
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise ValueError(
                f'{self.path}: the header lacks {", ".join(missing)}; '
                f'it has {", ".join(self.columns) or "no column"}'
            )
        for name in columns if filled else ():
            lines = [n for row, n in zip(self.rows, self.lines, strict=True) if not row[name]]
            if lines:
                raise ValueError(f'{self.path}:{lines[0]}: no value for {name}{_others(lines)}')


def read_table(path: str | Path) -> Table:
    """Read a table in any of the forms that this module's docstring names.

    A cell that is not UTF-8 is read as Windows-1252, but a ``video``, whose bytes are a file's
    name, keeps them as ``os.fsdecode`` does.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no table; names the file and, where there is one, the line.
    """
    text = read_text(path)
    delimiter, text, skipped = _find_delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    columns: list[str] = []
    rows, lines = [], []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            line = reader.line_num + skipped
            if not any(cells):
                continue
            if not columns:
                columns = _header(cells, path)
                continue
            if any(cells[len(columns) :]):
                raise ValueError(
                    f'{path}:{line}: {len(cells)} values for {len(columns)} columns; put a value '
                    f'that holds {delimiter!r} in quotes'
                )
            cells += [''] * (len(columns) - len(cells))
            rows.append(dict(zip(columns, cells, strict=False)))
            lines.append(line)
    except csv.Error as error:
        raise ValueError(f'{path}:{reader.line_num + skipped}: {error}') from error
    guessed = None
    for row in rows:
        read = {name: as_text(value) for name, value in row.items() if name != 'video'}
        guessed = guessed or next((v for name, v in read.items() if v != row[name]), None)
        row.update(read)
    return Table(str(path), tuple(columns), rows, lines, guessed)


def read_annotations(
    path: str | Path, columns: Sequence[str], optional: Sequence[str] | None = ()
) -> list[Row]:
    """Read an annotation file.

    Args:
        path: The file.
        columns: The columns the file must have. All but ``video``, ``action``, ``subject`` and
            ``sha256`` are whole numbers, not negative.
        optional: Columns to read as well where the file has them; ``None`` for all that it has. A
            column beyond ``columns`` may have cells without a value (``''``); it is of whole
            numbers where all its values are, else text.

    Returns:
        One dict a row, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, or a row is malformed; names the file and the line.
    """
    table = read_table(path)
    table.require(columns)
    further = [
        name
        for name in table.columns
        if name not in columns and (optional is None or name in optional)
    ]
    loose = [name for name in further if name not in TEXT_COLUMNS and name not in FILE_COLUMNS]
    table.require([name for name in further if name in FILE_COLUMNS])
    numbers = {name for name in loose if all(is_whole(row[name] or '0') for row in table.rows)}
    rows = []
    for raw, line in zip(table.rows, table.lines, strict=True):
        row: Row = {}
        for name in (*columns, *further):
            strict = name not in TEXT_COLUMNS and name not in loose
            row[name] = _parse(raw[name], name, name in numbers, strict, f'{path}:{line}')
        _check_row(row, f'{path}:{line}')
        rows.append(row)
    return rows


def write_annotations(
    path: str | Path, rows: Sequence[Row], columns: Sequence[str], overwrite: bool = False
) -> None:
    """Write an annotation file as a whole or not at all.

    Raises:
        FileExistsError: The file exists and ``overwrite`` is not set.
    """
    with atomic_text_file(path, overwrite) as file:
        writer = csv.DictWriter(file, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def check_inside_root(video: str, where: str) -> None:
    """Raise ValueError where a path is absolute or leads out of the folder it is relative to."""
    path = PurePosixPath(video.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts:
        raise ValueError(
            f'{where}: {printable(video)!r} leaves the data root; paths must be relative to it, '
            'without ".."'
        )


def check_spelling(rows: Sequence[Row], columns: Iterable[str], path: str | Path) -> None:
    """Raise ValueError where one name is written in two ways: other case, blanks, accents' form, or
    zeros before a number.

    Args:
        rows: Rows of a table.
        columns: The columns to look at.
        path: Of the table, for the message.
    """
    for column in columns:
        spellings = defaultdict(dict)
        for row in rows:
            value = str(row.get(column, ''))
            same = ''.join(unicodedata.normalize('NFKC', value).casefold().split())
            same = _LEADING_ZEROS.sub('', same)
            spellings[same].setdefault(value, []).append(row)
        for found in spellings.values():
            if len(found) > 1:
                counts = ', '.join(f'{name!r} ({len(rows)} rows)' for name, rows in found.items())
                raise ValueError(
                    f'{path}: {column} is written in several ways: {counts}; write one of them '
                    'everywhere, or give different things different names'
                )


def is_whole(value: str) -> bool:
    """Whether a cell holds a whole number that is not negative."""
    return value.isascii() and value.isdigit()


def natural_key(value: str | int | float) -> list:
    """Key to sort names by as people do: ``'2'`` before ``'10'``."""
    parts = re.split(r'(\d+)', str(value))
    return [(int(p), p) if i % 2 else p for i, p in enumerate(parts)]


def shorten(items: Sequence[str], listed: int = _LISTED) -> str:
    """``N (a, b, ...)``: how many there are, and the first of them."""
    more = ', ...' if len(items) > listed else ''
    return f'{len(items)} ({", ".join(map(printable, items[:listed]))}{more})'


def check_new_file(path: str | Path, overwrite: bool) -> None:
    """Raise FileExistsError where ``path`` exists and must not be overwritten."""
    if os.path.exists(path) and not overwrite:
        raise FileExistsError(f'{path} exists: choose another name or pass --overwrite')


@contextmanager
def atomic_text_file(path: str | Path, overwrite: bool = False) -> Iterator[TextIO]:
    """Open a text file that takes its name only after all of it has been written."""
    check_new_file(path, overwrite)
    # A file's name may hold bytes that are no UTF-8: they are written as they are.
    options = dict(newline='', encoding='utf-8', errors='surrogateescape')
    with atomic_path(path) as temporary, open(temporary, 'w', **options) as file:
        yield file


def _find_delimiter(text: str) -> tuple[str, str, int]:
    """The delimiter, the text of the table, and the number of lines left out before it."""
    first, _, rest = text.partition('\n')
    if first.strip().lower() in [f'sep={d}' for d in _DELIMITERS]:  # as Excel writes and reads it
        return first.strip()[-1], rest, 1
    header = next((line for line in text.splitlines() if line.strip()), '')
    return max(_DELIMITERS, key=header.count), text, 0


def _header(cells: list[str], path: str | Path) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    columns = [as_text(cell).lower() for cell in cells]
    if '' in columns:
        raise ValueError(f'{path}: column {columns.index("") + 1} has no name')
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f'{path}: the header has {", ".join(twice)} twice')
    return columns


def _parse(value: str, name: str, is_number: bool, strict: bool, where: str) -> str | int | float:
    if name == 'fps':
        try:
            return float(value)
        except ValueError:
            raise ValueError(f'{where}: fps must be a number, got {value!r}') from None
    if strict and not is_whole(value):
        raise ValueError(f'{where}: {name} must be a whole number, got {value!r}')
    return int(value) if value and (strict or is_number) else value


def _check_row(row: Row, where: str) -> None:
    check_inside_root(str(row['video']), where)
    if 'num_frames' not in row:
        return
    start, end = row.get('start_frame', 0), row.get('end_frame', row['num_frames'])
    if not 0 <= start < end <= row['num_frames']:
        raise ValueError(
            f'{where}: frames {start} to {end} are not a range within '
            f'the {row["num_frames"]} frames of the video'
        )


def _others(lines: Sequence[int]) -> str:
    if len(lines) == 1:
        return ''
    more = ', ...' if len(lines) > _LISTED else ''
    return f', nor in {len(lines) - 1} more ({", ".join(map(str, lines[1:_LISTED]))}{more})'
