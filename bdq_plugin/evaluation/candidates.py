"""The encoder that is audited: where it comes from, and the forms of its output."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..encoders import (
    PRESETS,
    ClipEncoder,
    build_encoder,
    load_encoder,
    load_zoo_encoder,
    read_encoder_file,
    zoo_names,
)
from ..models.data_preprocessor import load_encoder_checkpoint

OUTPUTS = ('soft', 'hard')


@dataclass(frozen=True)
class Audited:
    """An encoder to audit.

    Attributes:
        name: for the results.
        encoder: as it was trained.
        origin: where it is from, JSON-ready: ``kind`` (``'file'``, ``'zoo'`` or ``'preset'``), and
            what its file says of its training.
    """

    name: str
    encoder: ClipEncoder
    origin: dict[str, Any]


def resolve_encoder(name: str, preset: str | None = None) -> Audited:
    """Find an encoder by the path of its file, its name in the zoo, or a preset.

    Args:
        name: ``encoder.json``, a checkpoint (.pth), a zoo name or a preset (untrained).
        preset: which preset a checkpoint was trained from.

    Returns:
        The encoder with its name and origin. A file's encoder is named after its folder.

    Raises:
        FileNotFoundError, ValueError: no such encoder.
    """
    path = Path(name)
    if path.suffix == '.json':
        origin = dict(kind='file', training=read_encoder_file(path)['metadata'])
        return Audited(_label(path), load_encoder(path), origin)
    if path.suffix == '.pth':
        if preset is None:
            raise ValueError(
                f'{path} holds numbers, not the encoder they belong to: name the preset it was '
                'trained from (--preset), or the encoder.json beside it'
            )
        encoder = build_encoder(preset)
        load_encoder_checkpoint(encoder, path)
        return Audited(_label(path), encoder, dict(kind='file', preset=preset))
    if name in zoo_names():
        return Audited(name, load_zoo_encoder(name), dict(kind='zoo'))
    if name in PRESETS:
        return Audited(name, build_encoder(name), dict(kind='preset', trained=False))
    raise ValueError(
        f"unknown encoder '{name}': give an encoder.json, a zoo name "
        f'({", ".join(zoo_names()) or "none so far"}) or a preset ({", ".join(PRESETS)})'
    )


def output_forms(encoder: ClipEncoder) -> dict[str, ClipEncoder]:
    """The forms in which an encoder's output can be had.

    Returns:
        ``'soft'`` (real numbers), and for an encoder with quantisation ``'hard'`` (whole levels),
        which is what can leave a camera. One that was trained hard has no other form.
    """
    if not getattr(encoder, 'quantizes', False):
        return {'soft': encoder}
    if encoder.quantize.mode == 'hard':
        return {'hard': encoder}
    hard = copy.deepcopy(encoder)
    hard.quantize.mode = hard.config['mode'] = 'hard'
    return {'soft': encoder, 'hard': hard}


def _label(path: Path) -> str:
    """Name of a file's encoder: work_dirs/NAME/encoder.json is NAME."""
    name = path.parent.name if path.stem == 'encoder' or path.suffix == '.pth' else path.stem
    return name.lower().replace('-', '_')
