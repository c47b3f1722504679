"""Whether a file is shorter than its container says: how a cut file is told from a whole one.

The number of frames in a header does not tell: edit lists hide frames, cameras write down what they
meant to record, and AVI counts frames that were never stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Matroska's names; a size of ones alone is unknown.
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675


def missing_bytes(path: str | os.PathLike) -> int:
    """How many bytes of frames a file lacks at its end, by the sizes of the parts of AVI, MP4, MOV
    and Matroska. 0 where none are missing, or an index alone, and for other containers.
    """
    length = Path(path).stat().st_size
    with open(path, 'rb') as file:
        head = file.read(4)
        if head == b'RIFF':
            ends = _ends_in_avi(file, length)
        elif head == _EBML.to_bytes(4, 'big'):
            ends = _ends_in_matroska(file, length)
        else:
            ends = _ends_in_mp4(file, length)
        return max(max(ends, default=0) - length, 0)


# Each yields where parts that hold frames end.


def _ends_in_avi(file: BinaryIO, length: int) -> Iterator[int]:
    position = 0
    while position + 12 <= length:
        file.seek(position)
        name, size, kind = file.read(4), int.from_bytes(file.read(4), 'little'), file.read(4)
        if name == b'RIFF':  # a large file has several
            position += 12
            continue
        if not name.isascii() or size == 0xFFFFFFFF:  # a writer that was stopped
            return
        position += 8 + size
        if kind == b'movi' and size:
            yield position
        position += size % 2


def _ends_in_mp4(file: BinaryIO, length: int) -> Iterator[int]:
    position = 0
    while position + 8 <= length:
        file.seek(position)
        size, name = int.from_bytes(file.read(4), 'big'), file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8), 'big')
        if size < 8:  # 0: it goes on to the end
            return
        position += size
        if name in (b'moof', b'mdat'):
            yield position


def _ends_in_matroska(file: BinaryIO, length: int) -> Iterator[int]:
    position, segment_end = 0, None
    while position < length:
        file.seek(position)
        name, size = _number(file, keep_mark=True), _number(file)
        if size is None:
            return
        start, position = file.tell(), file.tell() + size
        if name == _SEGMENT:
            segment_end, position = position, start
        elif name == _CLUSTER:
            yield position
    if segment_end is not None and position == length:
        yield segment_end


def _number(file: BinaryIO, keep_mark: bool = False) -> int | None:
    """A number of as many bytes as its first byte says; None for an unknown one."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(more), 'big')
    mark = 1 << 7 * (more + 1)
    if keep_mark:
        return value
    return None if value == 2 * mark - 1 else value - mark
