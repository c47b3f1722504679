"""Geometric dither on clips of tensors: each clip is moved by a geometry of its own.

What is drawn, and where a pixel then comes from, stands in :mod:`bdq_plugin.geometry`, which a
camera reads too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..geometry import SECRET_BYTES, Geometry, Path
from .functional import resample


def draw_secrets(clips: int) -> list[bytes]:
    """A secret for each clip from torch's generator, so that training and audits can be repeated.

    A camera takes its own from the operating system: :class:`bdq_plugin.deploy.StreamingEncoder`.
    """
    return [bytes(numbers) for numbers in torch.randint(256, (clips, SECRET_BYTES)).tolist()]


def places_of_clips(
    geometry: Geometry,
    secrets: Sequence[bytes],
    firsts: Sequence[int],
    frames: int,
    height: int,
    width: int,
) -> Tensor:
    """Places of clips that begin at frames ``firsts`` of their streams.

    Returns:
        int32 (N, T, 2, H, W), or (N, 1, 2, H, W) where they are the same for all frames.
    """
    count = frames if geometry.redraw else 1
    clips = []
    for secret, first in zip(secrets, firsts, strict=True):
        path = Path(geometry, secret, height, width)
        clips.append(np.stack([path.at(first + number) for number in range(count)]))
    return torch.from_numpy(np.stack(clips))


def move(x_NCTHW: Tensor, geometry: Geometry) -> Tensor:
    """Clips as training sees them: secrets of their own, at any moment of a period.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point, any range; receives gradient.
    """
    clips, _, frames, height, width = x_NCTHW.shape
    secrets = draw_secrets(clips)
    firsts = torch.randint(geometry.redraw, (clips,)).tolist() if geometry.redraw else [0] * clips
    places = places_of_clips(geometry, secrets, firsts, frames, height, width)
    return resample(x_NCTHW, places.to(x_NCTHW.device))


def move_pixels(
    frames_NCTHW: Tensor, geometry: Geometry, secrets: Sequence[bytes] | None = None
) -> Tensor:
    """uint8 frames moved and rounded half up to uint8, from the first frame of their streams on.

    Args:
        frames_NCTHW: uint8 of shape (N, C, T, H, W).
        secrets: one of 32 bytes for each clip; None draws them from torch's generator.
    """
    clips, _, frames, height, width = frames_NCTHW.shape
    secrets = draw_secrets(clips) if secrets is None else secrets
    places = places_of_clips(geometry, secrets, [0] * clips, frames, height, width)
    return round_pixels(resample(frames_NCTHW.float(), places.to(frames_NCTHW.device)))


def round_pixels(x: Tensor) -> Tensor:
    """Floats from 0 to 255 to uint8, half up as a camera rounds; torch.round is half to even."""
    return (x + 0.5).floor().to(torch.uint8)
