"""The annotation file: one CSV a data set, a header line, one row a clip.

``video`` is a path relative to the folder of videos. Frame ranges are 0-based, ``start_frame``
inclusive, ``end_frame`` exclusive, so that a clip has ``end_frame - start_frame`` frames.
``num_frames`` and ``sha256`` say how the video was when it was prepared.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO

Row = dict[str, str | int]

TEXT_COLUMNS = ('video', 'action', 'subject', 'sha256')


def read_annotations(
    path: str | Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> list[Row]:
    """Read an annotation file.

    Args:
        path: The CSV file.
        columns: The columns the file must have. All but ``video``, ``action``, ``subject`` and
            ``sha256`` are whole numbers, not negative.
        optional: Columns to read as well where the file has them.

    Returns:
        One dict a row, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, or a row is malformed; names the file and the line.
    """
    with open(path, newline='', encoding='utf-8') as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f'{path}: the header lacks {", ".join(missing)}; expected {",".join(columns)}'
            )
        columns = [*columns, *(name for name in optional if name in (reader.fieldnames or ()))]
        return [_parse_row(raw, columns, f'{path}:{reader.line_num}') for raw in reader]


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


def check_new_file(path: str | Path, overwrite: bool) -> None:
    """Raise FileExistsError where ``path`` exists and must not be overwritten."""
    if os.path.exists(path) and not overwrite:
        raise FileExistsError(f'{path} exists: choose another name or pass --overwrite')


@contextmanager
def atomic_text_file(path: str | Path, overwrite: bool = False) -> Iterator[TextIO]:
    """Open a text file that takes its name only after all of it has been written."""
    path = Path(path)
    check_new_file(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', text=True)
    try:
        with open(handle, 'w', newline='', encoding='utf-8') as file:
            yield file
        os.chmod(temporary, 0o644)  # mkstemp gives the owner alone the right to read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _parse_row(raw: dict[str, str | None], columns: Sequence[str], where: str) -> Row:
    row: Row = {}
    for name in columns:
        value = (raw[name] or '').strip()
        if not value:
            raise ValueError(f'{where}: no value for {name}')
        if name in TEXT_COLUMNS:
            row[name] = value
        elif value.isascii() and value.isdigit():
            row[name] = int(value)
        else:
            raise ValueError(f'{where}: {name} must be a whole number, got {value!r}')
    _check_inside_root(str(row['video']), where)
    start, end = row.get('start_frame', 0), row.get('end_frame', row['num_frames'])
    if not 0 <= start < end <= row['num_frames']:
        raise ValueError(
            f'{where}: frames {start} to {end} are not a range within '
            f'the {row["num_frames"]} frames of the video'
        )
    return row


def _check_inside_root(video: str, where: str) -> None:
    path = PurePosixPath(video.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts:
        raise ValueError(
            f'{where}: {video!r} leaves the data root; paths must be relative to it, without ".."'
        )
