"""The encoder that is audited: where it comes from, and the forms of its output."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..encoder_file import every_of, names_file, zoo_names
from ..encoders import ClipEncoder, build_encoder, read_trained
from ..models.encoder_source import build_encoder_from_cfg, load_encoder_checkpoint

OUTPUTS = ('soft', 'hard')


@dataclass(frozen=True)
class Audited:
    """An encoder to audit.

    Attributes:
        name: for the results.
        encoder: as it was trained.
        origin: where it is from, JSON-ready: ``kind`` (``'file'``, ``'zoo'`` or ``'preset'``), and
            what its file says of its training.
        every: of the frames each n-th is encoded, where its numbers were chosen for that.
    """

    name: str
    encoder: ClipEncoder
    origin: dict[str, Any]
    every: int | None = None


def resolve_encoder(name: str, preset: str | None = None) -> Audited:
    """Find an encoder by the path of its file, its name in the zoo, or a preset.

    Args:
        name: ``encoder.json``, a checkpoint (.pth), a zoo name or a preset (untrained).
        preset: which preset the file was trained from: needed for a checkpoint of an older version,
            which does not say it, and compared with what any other file says.

    Returns:
        The encoder with its name and origin. A file's encoder is named after its folder, a preset
        that no game has trained ends in ``_untrained``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such encoder, or another one than the preset.
    """
    path, expected = Path(name), {} if preset is None else dict(preset=preset)
    document = read_trained(name)
    if not names_file(name):
        if preset not in (None, name):
            raise ValueError(f"'{name}' is a preset, and not {preset}: leave --preset out")
        encoder = build_encoder(name)
        learns = any(parameter.requires_grad for parameter in encoder.parameters())
        label = f'{name}_untrained' if learns else name
        return Audited(label, encoder, dict(kind='preset', trained=False))
    if document['type'] is None:
        if preset is None:
            raise ValueError(
                f'{path} holds numbers, not the encoder they belong to: name the preset it was '
                'trained from (--preset), or the encoder.json beside it'
            )
        encoder = build_encoder(preset)
        load_encoder_checkpoint(encoder, path)
        return Audited(_label(path), encoder, dict(kind='file', preset=preset))
    encoder = build_encoder_from_cfg(dict(file=name, **expected))
    every = every_of(document['metadata'], name)
    if name in zoo_names():
        return Audited(name, encoder, dict(kind='zoo'), every)
    return Audited(_label(path), encoder, dict(kind='file', training=document['metadata']), every)


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


def describe(encoder: ClipEncoder) -> dict[str, Any]:
    """All that makes it this encoder, JSON-ready: class, arguments, learned numbers."""
    return {
        'type': type(encoder).__name__,
        'config': json.loads(json.dumps(encoder.config)),
        'state': {name: tensor.tolist() for name, tensor in encoder.state_dict().items()},
    }


def _label(path: Path) -> str:
    """Name of a file's encoder: work_dirs/NAME/encoder.json is NAME."""
    name = path.parent.name if path.stem == 'encoder' or path.suffix == '.pth' else path.stem
    return name.lower().replace('-', '_')
