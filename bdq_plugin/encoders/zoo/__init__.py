"""Trained encoders by name. Each is a JSON file of this folder; see :mod:`bdq_plugin.encoder_file`.

A file holds the encoder's arguments and numbers, and in its metadata the data set, protocol, recipe
and audit result. ``tools/publish_encoder.py`` writes them; ``cards`` holds their privacy cards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...encoder_file import read_encoder_file, zoo_names, zoo_path
from ..base import ClipEncoder
from ..files import load_encoder

# NAME.md and NAME.eval_results.yaml: what was measured of each (tools/privacy_card.py).
CARDS = Path(__file__).with_name('cards')

__all__ = ['CARDS', 'load_zoo_encoder', 'read_zoo_file', 'zoo_names', 'zoo_path']


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
