"""Bilinear scaling of 8-bit frames, with OpenCV or without it: the same pixels, bit for bit."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

# Weights are multiples of 1/2048.
_BITS = 11


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a frame as test pipelines do: OpenCV's ``INTER_LINEAR``.

    It reads the four pixels around each place alone: scaled down by much, a frame flickers as
    theirs do.

    Args:
        pixels: uint8, (H, W) or (H, W, C).
        width, height: pixels of the result.

    Returns:
        uint8, (height, width) or (height, width, C); the frame itself where it has this size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if find_spec('cv2') is None:
        return plain_resize(pixels, width, height)
    import cv2

    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


def plain_resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """:func:`resize` in NumPy."""
    left, ahead = _places(pixels.shape[1], width)
    # OpenCV's columns end at the border; its rows are repeated there, with weights as elsewhere.
    ahead[(left < 0) | (left >= pixels.shape[1] - 1)] = 0
    columns = (_clip(left, pixels.shape[1]), _clip(left + 1, pixels.shape[1]))
    across = [_weights(1 - ahead)[:, None], _weights(ahead)[:, None]]
    top, down = _places(pixels.shape[0], height)
    flat = pixels.reshape(*pixels.shape[:2], -1)
    total = 2
    for rows, weight in ((top, 1 - down), (top + 1, down)):
        lines = flat[_clip(rows, pixels.shape[0])].astype(np.int32)
        line = sum(lines[:, c] * w for c, w in zip(columns, across, strict=True))
        total = total + (_weights(weight)[:, None, None] * (line >> 4) >> 16)
    return (total >> 2).astype(np.uint8).reshape(height, width, *pixels.shape[2:])


def _places(size: int, result: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel before each place of the result, and the share of the pixel behind it."""
    places = ((np.arange(result) + 0.5) * (size / result) - 0.5).astype(np.float32)
    before = np.floor(places).astype(np.int64)
    return before, places - before.astype(np.float32)


def _clip(places: np.ndarray, size: int) -> np.ndarray:
    return np.clip(places, 0, size - 1)


def _weights(shares: np.ndarray) -> np.ndarray:
    return np.rint(shares * np.float32(1 << _BITS)).astype(np.int32)
