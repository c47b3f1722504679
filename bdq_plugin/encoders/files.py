"""Encoders to files and back: JSON with the arguments and the learned numbers, or checkpoints."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..atomic_files import write_text
from ..encoder_file import (
    FORMAT,
    FORMAT_VERSION,
    find_encoder,
    names_file,
    read_encoder_file,
    zoo_names,
)
from .base import ENCODERS, ClipEncoder
from .presets import PRESETS, build_encoder

# Where a recognizer of MMAction2 keeps its encoder.
CHECKPOINT_PREFIX = 'data_preprocessor.encoder.'


def save_encoder(
    encoder: ClipEncoder, path: str | os.PathLike, metadata: dict[str, Any] | None = None
) -> Path:
    """Write an encoder to a JSON file, whole or not at all; see :mod:`bdq_plugin.encoder_file`.

    Args:
        encoder: any encoder, one of your own included.
        path: file to write; its folder is made where it is missing.
        metadata: JSON-ready facts to keep with it (data set, protocol, recipe, audit).

    Raises:
        ValueError: an argument of the encoder that JSON cannot hold.
    """
    return write_text(path, json.dumps(encoder_document(encoder, metadata), indent=2) + '\n')


def encoder_document(
    encoder: ClipEncoder, metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What an encoder's file holds, JSON-ready."""
    return {
        'format': FORMAT,
        'version': FORMAT_VERSION,
        **encoder.description(),
        'state': {name: tensor.tolist() for name, tensor in encoder.state_dict().items()},
        'metadata': metadata or {},
    }


def preset_document(name: str) -> dict[str, Any]:
    """What the file of a preset would hold, which no game has trained.

    Raises:
        ValueError: no such preset.
    """
    return encoder_document(_build_preset(name), dict(trained=False))


def _build_preset(name: str, **overrides: Any) -> ClipEncoder:
    if name not in PRESETS:
        raise ValueError(
            f"unknown encoder '{name}': give a file (encoder.json, or a checkpoint .pth), one of "
            f'the zoo ({", ".join(zoo_names()) or "none so far"}) or a preset '
            f'({", ".join(PRESETS)})'
        )
    return build_encoder(name, **overrides)


def load_encoder(source: str | os.PathLike, /, **overrides: Any) -> ClipEncoder:
    """Build the encoder that a file describes, with its learned numbers, or a preset.

    Args:
        source: an encoder's JSON file, a name of the zoo, a checkpoint (.pth) of a recognizer, or a
            preset.
        **overrides: arguments that shall replace the file's, such as ``mode='hard'``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, no such preset, a class that is not known, or an override that
            its numbers do not fit.

    Example:
        >>> load_encoder('bdq_hard_ixmas_take3').quantize.range
        'fixed'
    """
    if not names_file(source):
        return _build_preset(os.fspath(source), **overrides)
    encoder = build_described(read_trained(source), os.fspath(source), **overrides)
    encoder.source = os.fspath(source)
    return encoder


def build_described(document: dict[str, Any], source: str, /, **overrides: Any) -> ClipEncoder:
    """Build the encoder that :func:`read_trained`'s document describes.

    Args:
        document: ``type``, ``config`` and ``state``; ``module`` of an encoder of one's own.
        source: where it is from, for messages.
        **overrides: see :func:`load_encoder`.

    Raises:
        ValueError: see :func:`load_encoder`.
    """
    if document['type'] is None:
        raise ValueError(
            f'{source} holds numbers, not the encoder they belong to (an older version wrote it): '
            'name the encoder.json beside it'
        )
    if document['type'] not in ENCODERS:
        module = document.get('module')
        raise ValueError(
            f'{source}: unknown encoder type {document["type"]!r}'
            + (f'; import its module {module} first (custom_imports in a config)' if module else '')
        )
    encoder = build_encoder(document['type'], **{**document['config'], **overrides})
    # Of these the numbers follow from what was named.
    kept = {name for key in overrides for name in encoder.initial.get(key, ())}
    load_state(encoder, document['state'], source, kept)
    encoder.overrides = tuple(name for name in overrides if name not in encoder.unrecorded)
    return encoder


def read_trained(source: str | os.PathLike, prefix: str = CHECKPOINT_PREFIX) -> dict[str, Any]:
    """What a file says of an encoder: ``type``, ``config``, ``state`` and ``metadata``.

    Args:
        source: see :func:`load_encoder`.
        prefix: of the encoder's numbers in a checkpoint.

    Returns:
        ``type`` and ``config`` are None for a checkpoint that does not say them (an older one).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, or a checkpoint without an encoder.
    """
    if Path(source).suffix != '.pth':
        return read_encoder_file(source)
    from ..safe_load import load_checkpoint

    path = find_encoder(source)
    checkpoint = load_checkpoint(path)
    state = checkpoint.get('state_dict', checkpoint)
    described = getattr(state, '_metadata', {}).get(prefix[:-1], {}).get('encoder')
    numbers = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    if not numbers and not described:
        raise ValueError(
            f"{path} holds no encoder: no key begins with '{prefix}'; name a checkpoint of the "
            'adversarial stage, or another prefix'
        )
    return dict(dict(type=None, config=None), **(described or {}), state=numbers, metadata={})


@torch.no_grad()
def load_state(
    encoder: ClipEncoder, state: dict[str, Any], source: str, kept: set[str] = frozenset()
) -> None:
    """Load learned numbers into an encoder, all of them or none.

    Args:
        encoder: receives the state.
        state: names to tensors or lists of numbers.
        source: where the state is from, for messages.
        kept: names of numbers that stay as they are.

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
        if not torch.isfinite(value).all():
            raise ValueError(f"{source}: '{name}' is not finite; the training has diverged")
        tensors[name] = value
    for name, value in tensors.items():
        if name not in kept:
            own[name].copy_(value)
