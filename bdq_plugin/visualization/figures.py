"""Figures from clips, encoders and results; each function draws one and returns it."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from ..encoders import BDQEncoder
from ..encoders.bdq import to_uint8


def encoding_stages(encoder: BDQEncoder, frames_CTHW: torch.Tensor) -> dict[str, np.ndarray]:
    """What each part of an encoder leaves of a clip.

    Args:
        encoder: with or without each of its parts.
        frames_CTHW: uint8 frames of one clip.

    Returns:
        Name of the stage to its frames (T or T - 1, H, W), the mean over the channels: ``clear``
        and ``B`` in [0, 1], ``D`` and ``Q soft`` signed, ``Q hard`` in whole levels.
    """
    encoder = encoder.eval()
    x_NCTHW = frames_CTHW[None].float() / 255
    with torch.no_grad():
        stages = {'clear': x_NCTHW}
        blurred = encoder.blur(x_NCTHW)
        if encoder.blurs:
            stages['B'] = blurred
        if encoder.signed:
            stages['D'] = encoder.difference(blurred)
        if encoder.quantizes:
            mode, encoder.quantize.mode = encoder.quantize.mode, 'soft'
            stages['Q soft'] = encoder(x_NCTHW)
            encoder.quantize.mode = mode
            stages['Q hard'] = encoder.codes(to_uint8(x_NCTHW)).float()
    return {name: stage[0].mean(0).numpy() for name, stage in stages.items()}


def contact_sheet(
    encoder: BDQEncoder, frames_CTHW: torch.Tensor, columns: int = 6, title: str = ''
) -> Figure:
    """Frames of a clip after each part of the encoder, a row a part.

    Args:
        encoder: see :func:`encoding_stages`.
        frames_CTHW: uint8 frames of one clip, at least 2.
        columns: frames to show, spread over the clip.
        title: shown above.
    """
    stages = encoding_stages(encoder, frames_CTHW)
    last = frames_CTHW.shape[1] - 1
    shown = np.linspace(1, last, min(columns, last)).round().astype(int)
    height, width = frames_CTHW.shape[2:]
    figure, axes = plt.subplots(
        len(stages),
        len(shown),
        figsize=(1.1 * len(shown) + 0.5, 1.1 * len(stages) * height / width + 0.3),
        squeeze=False,
        layout='constrained',
    )
    for row, (name, frames) in zip(axes, stages.items(), strict=True):
        # A difference frame t shows the step from t - 1 to t of the clear clip.
        offset = frames_CTHW.shape[1] - len(frames)
        for axis, index in zip(row, shown, strict=True):
            axis.imshow(frames[index - offset], **_scale(name, frames, encoder))
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    if title:
        figure.suptitle(title)
    return figure


def _scale(name: str, frames: np.ndarray, encoder: BDQEncoder) -> dict[str, object]:
    """Grey values for a stage: [0, 1], all levels, or symmetric about no motion."""
    if name in ('clear', 'B'):
        return dict(cmap='gray', vmin=0, vmax=1)
    if name == 'Q hard':
        return dict(cmap='gray', vmin=0, vmax=encoder.quantize.num_levels - 1)
    limit = float(np.abs(frames).max()) or 1.0
    return dict(cmap='gray', vmin=-limit if encoder.signed else 0, vmax=limit)


def save_figure(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure to a temporary name, rename it and close it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{os.getpid()}.{path.name}')
    figure.savefig(temporary, dpi=150)
    os.replace(temporary, path)
    plt.close(figure)
    return path
