"""Short text files that people write by hand, on any system."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, 'utf-8-sig'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a text file without blanks around them; empty lines are left out.

    UTF-8 with or without a byte order mark, and UTF-16 with one. Another encoding is not guessed
    at, for its names would be wrong ones.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another encoding, or no line at all.
    """
    data = Path(path).read_bytes()
    encoding = _encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b'\n') + 1
        raise ValueError(
            f'{path}, line {line}: not UTF-8 text; save the file with the encoding UTF-8'
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f'{path} has no line')
    if '\0' in text:
        raise ValueError(f'{path} is no text: it holds zero bytes')
    return lines


def read_text(path: str | os.PathLike) -> str:
    """A text file in UTF-8 or UTF-16, with or without a byte order mark.

    Bytes that are neither are kept as ``os.fsdecode`` keeps them; see :func:`as_text`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no text file.
    """
    data = Path(path).read_bytes()
    encoding = _encoding_of(data)
    text = data.decode(encoding, 'replace' if encoding == 'utf-16' else 'surrogateescape')
    if '\0' in text:
        raise ValueError(f'{path} is not a text file: save it as text (CSV) in UTF-8')
    return text


def as_text(value: str) -> str:
    """Text whose bytes that are no UTF-8 are read as Windows-1252."""
    if value.isascii():
        return value
    return re.sub(
        '[\udc80-\udcff]+',
        lambda found: found[0].encode('utf-8', 'surrogateescape').decode('cp1252', 'replace'),
        value,
    )


def _encoding_of(data: bytes) -> str:
    return next((name for mark, name in _MARKS if data.startswith(mark)), 'utf-8')
