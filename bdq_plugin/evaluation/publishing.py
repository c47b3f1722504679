"""From an encoder's file, or a preset, to a file of the zoo."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..encoder_file import every_of, frames_of
from ..encoders import PRESETS, ClipEncoder, load_encoder, read_encoder_file, save_encoder
from ..encoders.zoo import zoo_path
from .candidates import describe, output_forms
from .pooling import CAVEAT, Pooled, pool
from .results import read_result


def publish(
    source: str | os.PathLike,
    name: str,
    audits: Sequence[str | os.PathLike] = (),
    overwrite: bool = False,
    frames: Mapping[str, int] | None = None,
    every: int | None = None,
) -> Path:
    """Check an encoder and write it into the zoo, with its recipe and audit results.

    Args:
        source: ``encoder.json`` of a training run or of a search, or a preset.
        name: in the zoo: lower case letters, digits and ``_``.
        audits: results of auditing this very encoder.
        overwrite: replace an encoder of that name.
        frames: ``height``, ``width`` and ``channels`` for which it is meant, which cameras then
            encode; None for what its file says.
        every: of the frames it is meant for each n-th, likewise.

    Returns:
        The file that was written.

    Raises:
        FileExistsError: the name is taken.
        ValueError: a name that is none, broken numbers, an audit of another encoder, or nobody
            says for which frames the encoder is, or what is said are none.
    """
    target = zoo_path(name)
    if name in PRESETS:
        raise ValueError(f"'{name}' is a preset, an untrained encoder: choose another name")
    if target.exists() and not overwrite:
        raise FileExistsError(f'{target} exists: choose another name, or pass --overwrite')
    document = read_encoder_file(source)
    encoder = load_encoder(source)
    check_numbers(encoder, str(source))
    metadata = dict(document['metadata'])
    if frames is not None:
        metadata['frames'] = dict(frames)
    if every is not None:
        metadata['every'] = every
    every_of(metadata, source)
    if frames_of(metadata, source) is None:
        raise ValueError(
            f'{source} does not say for which frames it is, so that a camera would encode any: '
            'name them (--size 48x64 --grey)'
        )
    metadata['audit'] = [_digest(encoder, path) for path in audits]
    return save_encoder(encoder, target, metadata)


def check_numbers(encoder: ClipEncoder, source: str) -> None:
    """Raise ValueError where a learned number is not finite, or thresholds are out of order."""
    for name, tensor in encoder.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{source}: '{name}' is not finite; the training has diverged")
    if getattr(encoder, 'quantizes', False):
        thresholds = encoder.quantize.thresholds.detach()
        top = encoder.quantize.num_levels - 1
        if (thresholds.diff() < 0).any() or thresholds[0] < 0 or thresholds[-1] > top:
            raise ValueError(
                f'{source}: thresholds must rise within 0 to {top}, got {thresholds.tolist()}'
            )


def is_audit_of(encoder: ClipEncoder, result: dict[str, Any]) -> bool:
    """Whether a result is of this very encoder, in one of its forms."""
    form = output_forms(encoder).get(result['cell']['output'])
    return form is not None and result['encoder'] == describe(form)


def _digest(encoder: ClipEncoder, path: str | os.PathLike) -> dict[str, Any]:
    """What a zoo file says of an audit: the cell, and who named how many of the test clips."""
    result = read_result(path)
    if not is_audit_of(encoder, result):
        raise ValueError(f'{path} is the audit of another encoder: audit this one first')
    (row,) = pool([result])
    figures = {'strongest': {'attacker': row.strongest, **_figure(row.leakage)}}
    if row.chosen is not None:
        figures['chosen'] = {'attacker': result['chosen'], **_figure(row.chosen)}
    if row.action is not None:
        figures['action'] = _figure(row.action)
    return {
        'cell': result['cell'],
        **figures,
        'notes': result['notes'],
        'caveat': CAVEAT,
        'versions': result['versions'],
    }


def _figure(figure: Pooled) -> dict[str, Any]:
    return {
        figure.figure: round(figure.value, 4),
        'interval': figure.interval.to_dict(),
        'chance': round(figure.chance, 4),
    }
