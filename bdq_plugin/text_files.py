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


def read_text(path: str | os.PathLike) -> str:
    """A text file in UTF-8 or UTF-16, with or without a byte order mark.

    Bytes that are neither are kept as ``os.fsdecode`` keeps them; see :func:`as_text`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder, or no text file.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f'no text file {path}')
    if os.path.isdir(path):
        raise ValueError(f'{path} is a folder: name a text file')
    data = Path(path).read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), 'utf-8')
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
