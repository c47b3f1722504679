"""Small videos to read in tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(
    path: Path,
    frames: np.ndarray,
    codec: str,
    pix_fmt: str,
    times: Sequence[int] | None = None,
    **options: str,
) -> None:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
            frame.pts = i if times is None else times[i]
            frame.time_base = Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_raw_video(path: Path, width: int, height: int = 64, count: int = 6) -> np.ndarray:
    """Write random grey frames uncompressed; return them as (T, H, W, 3)."""
    grey = np.random.default_rng(width).integers(0, 256, (count, height, width, 1), dtype=np.uint8)
    frames = np.repeat(grey, 3, axis=3)
    write_video(path, frames, 'rawvideo', 'bgr24')
    return frames
