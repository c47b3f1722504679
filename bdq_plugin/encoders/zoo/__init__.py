"""Trained encoders by name. Each is a JSON file of this folder, in the format of :mod:`..files`.

A file holds the encoder's arguments and numbers, and in its metadata the data set, protocol, recipe
and audit result. ``tools/publish_encoder.py`` writes them. JSON can carry no code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..base import ClipEncoder
from ..files import load_encoder, read_encoder_file

FOLDER = Path(__file__).parent

_NAME = re.compile(r'[a-z0-9_]+')


def zoo_path(name: str) -> Path:
    """File of an encoder of the zoo, there or not.

    Raises:
        ValueError: a name that is more than lower case letters, digits and ``_``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' is no zoo name: use lower case letters, digits and '_', such as "
            "'bdq_hard_ixmas_take'"
        )
    return FOLDER / f'{name}.json'


def zoo_names() -> list[str]:
    """Names of all encoders of the zoo."""
    return sorted(path.stem for path in FOLDER.glob('*.json'))


def read_zoo_file(name: str) -> dict[str, Any]:
    """All that a zoo file says, ``metadata`` included.

    Raises:
        ValueError: no such encoder.
    """
    path = zoo_path(name)
    if not path.is_file():
        known = ', '.join(zoo_names()) or 'none so far'
        raise ValueError(f"no encoder '{name}' in the zoo: choose one of {known}")
    return read_encoder_file(path)


def load_zoo_encoder(name: str) -> ClipEncoder:
    """Build a trained encoder by its name.

    Raises:
        ValueError: no such encoder.
    """
    read_zoo_file(name)
    return load_encoder(zoo_path(name))
