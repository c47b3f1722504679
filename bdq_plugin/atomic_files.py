"""Files that are there whole or not at all, whenever a program is killed."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | os.PathLike, *, durable: bool = False) -> Iterator[Path]:
    """A name to write to in the folder of ``path``; when the block ends well, it becomes ``path``.

    It begins with a dot and ends in ``.tmp``, so that nothing takes it for a file of the kind.

    Args:
        path: the file; its folder is made where it is missing.
        durable: wait until the disk has every byte, or a loss of power could keep the new name and
            lose what it names.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')
    try:
        yield temporary
        if durable:
            with open(temporary, 'rb') as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike, content: bytes, *, durable: bool = False) -> Path:
    """Write a file by :func:`atomic_path`."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Write a text file in UTF-8 by :func:`atomic_path`."""
    return write_bytes(path, text.encode())


def write_json(path: str | os.PathLike, document: dict[str, Any]) -> Path:
    """Write JSON by :func:`atomic_path`; scalars of NumPy and torch become numbers."""
    return write_text(path, json.dumps(document, indent=2, default=float) + '\n')


def remove_leftovers(folder: str | os.PathLike, names: str = '*') -> None:
    """Remove what killed programs were writing, where no other one can be writing now.

    Args:
        folder: of the files.
        names: pattern of their names, such as ``'*.pth'``.
    """
    for path in Path(folder).glob(f'.{names}.*.tmp'):
        path.unlink(missing_ok=True)
