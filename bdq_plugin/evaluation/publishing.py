"""From a training run's ``encoder.json`` to a file of the zoo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

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
) -> Path:
    """Check a trained encoder and write it into the zoo, with its recipe and audit results.

    Args:
        source: ``encoder.json`` of a training run.
        name: in the zoo: lower case letters, digits and ``_``.
        audits: results of auditing this very encoder.
        overwrite: replace an encoder of that name.

    Returns:
        The file that was written.

    Raises:
        FileExistsError: the name is taken.
        ValueError: a name that is none, broken numbers, or an audit of another encoder.
    """
    target = zoo_path(name)
    if name in PRESETS:
        raise ValueError(f"'{name}' is a preset, an untrained encoder: choose another name")
    if target.exists() and not overwrite:
        raise FileExistsError(f'{target} exists: choose another name, or pass --overwrite')
    document = read_encoder_file(source)
    encoder = load_encoder(source)
    check_numbers(encoder, str(source))
    metadata = {**document['metadata'], 'audit': [_digest(encoder, path) for path in audits]}
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
