"""Encoders as files: JSON with the arguments and the learned numbers, nothing that could run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .base import ClipEncoder
from .presets import CLASSES, build_encoder

FORMAT = 'bdq-encoder'
FORMAT_VERSION = 1


def load_state(encoder: ClipEncoder, state: dict[str, Any], source: str) -> None:
    """Load learned numbers into an encoder, all of them or none.

    Args:
        encoder: receives the state.
        state: names to tensors or lists of numbers.
        source: where the state is from, for messages.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs (such as the number of
            thresholds).
    """
    own = encoder.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unknown:
        raise ValueError(
            f'{source} does not fit {type(encoder).__name__}: missing {missing or "nothing"}, '
            f'unknown {unknown or "nothing"}; build the encoder that the file was trained with'
        )
    tensors = {}
    for name, value in state.items():
        value = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float32)
        if value.shape != own[name].shape:
            raise ValueError(
                f"{source}: '{name}' has shape {tuple(value.shape)}, this encoder's has "
                f'{tuple(own[name].shape)}; set num_levels to what the file was trained with '
                '(one more than its thresholds)'
            )
        tensors[name] = value
    encoder.load_state_dict(tensors)


def save_encoder(
    encoder: ClipEncoder, path: str | os.PathLike, metadata: dict[str, Any] | None = None
) -> Path:
    """Write an encoder to a JSON file, whole or not at all.

    Args:
        encoder: any encoder of this package.
        path: file to write; its folder must exist.
        metadata: JSON-ready facts to keep with it (data set, protocol, recipe, audit).
    """
    path = Path(path)
    document = {
        'format': FORMAT,
        'version': FORMAT_VERSION,
        'type': type(encoder).__name__,
        'config': encoder.config,
        'state': {name: tensor.tolist() for name, tensor in encoder.state_dict().items()},
        'metadata': metadata or {},
    }
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_text(json.dumps(document, indent=2) + '\n')
    os.replace(temporary, path)
    return path


def read_encoder_file(path: str | os.PathLike) -> dict[str, Any]:
    """Read and check the JSON of :func:`save_encoder`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an encoder file, or one of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no encoder file {path}: train one first, or name a preset')
    try:
        document = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not an encoder file: {error}') from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise ValueError(f'{path} is not an encoder file: it lacks "format": "{FORMAT}"')
    if document.get('version') != FORMAT_VERSION:
        raise ValueError(
            f'{path} has version {document.get("version")}, this package reads {FORMAT_VERSION}'
        )
    if document.get('type') not in CLASSES:
        raise ValueError(f'{path}: unknown encoder type {document.get("type")!r}')
    return document


def load_encoder(path: str | os.PathLike) -> ClipEncoder:
    """Build the encoder that a JSON file describes, with its learned numbers."""
    document = read_encoder_file(path)
    encoder = build_encoder(document['type'], **document['config'])
    load_state(encoder, document['state'], str(path))
    return encoder
