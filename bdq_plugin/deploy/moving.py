"""The geometric dither of a stream: each frame moved by a secret geometry before it is encoded.

Two implementations of :mod:`bdq_plugin.geometry`: its own in NumPy, to read, and a compiled one, to
run. That one packs three channels of a pixel into one number of 64 bits, 21 bits each, so that
three products move all three at once.
"""

from __future__ import annotations

import os

import numpy as np

from ..geometry import DRAW_BITS, PLACE_BITS, SECRET_BYTES, Geometry, Path, resample
from .compilation import compiled

LANE = 21
HALF = 1 << 2 * PLACE_BITS - 1


class Mover:
    """Move the frames of one stream, all of one shape.

    Args:
        geometry: how strong.
        secret: 32 bytes; None takes them from the operating system. They are kept in memory alone.
        compiled: whether to run the compiled form.
    """

    def __init__(
        self, geometry: Geometry, secret: bytes | None = None, *, compiled: bool = True
    ) -> None:
        self._geometry, self._compiled = geometry, compiled
        self._secret = os.urandom(SECRET_BYTES) if secret is None else secret
        self._path: Path | None = None
        self._count = 0
        self._moment: tuple[int, int] | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The next frame, uint8 (H, W, C), moved; in memory of its own."""
        if self._path is None:
            self._path = Path(self._geometry, self._secret, *frame.shape[:2])
        count, self._count = self._count, self._count + 1
        if not self._compiled:
            return resample(frame, self._path.at(count))
        moment = self._geometry.moment(count)
        if moment != self._moment:
            self._lay_out(count, frame.shape)
            self._moment = moment
        return self._move(frame)

    def _lay_out(self, count: int, shape: tuple[int, ...]) -> None:
        size = shape[0] * shape[1]
        if self._moment is None:
            self._index = np.empty(size, np.uint32)
            self._weights = np.empty((2, size), np.uint8)
            self._packed = np.empty(size, np.int64)
        first, second, share = self._path.ends(count)
        second = first if second is None else second
        planes = first.reshape(2, size), second.reshape(2, size)
        lay_out(*planes, share, *shape[:2], self._index, self._weights)

    def _move(self, frame: np.ndarray) -> np.ndarray:
        height, width, channels = frame.shape
        pixels = np.ascontiguousarray(frame).reshape(-1, channels)
        moved = np.empty_like(pixels)
        below, beside = width * (height > 1), int(width > 1)
        for lane in range(0, channels, 3):
            lanes = min(3, channels - lane)
            pack(pixels, lane, lanes, self._packed)
            gather(self._packed, self._index, self._weights, below, beside, lane, lanes, moved)
        return moved.reshape(frame.shape)


@compiled
def lay_out(first, second, share, height, width, index, weights):
    """Places on the way from ``first`` to ``second``, to the upper left pixel's index and weights.

    What :func:`bdq_plugin.geometry.mix` and :func:`bdq_plugin.geometry.neighbours` compute.
    """
    last_row, last_column = max(height - 2, 0), max(width - 2, 0)
    for i in range(index.size):
        y = first[0, i] + ((np.int64(second[0, i]) - first[0, i]) * share >> DRAW_BITS)
        x = first[1, i] + ((np.int64(second[1, i]) - first[1, i]) * share >> DRAW_BITS)
        row, column = min(y >> PLACE_BITS, last_row), min(x >> PLACE_BITS, last_column)
        index[i] = row * width + column
        weights[0, i] = y - (row << PLACE_BITS)
        weights[1, i] = x - (column << PLACE_BITS)


@compiled
def pack(pixels, lane, lanes, packed):
    """Up to three channels of each pixel, from channel ``lane``, to one number."""
    if lanes == 3:
        for i in range(packed.size):
            packed[i] = (
                np.int64(pixels[i, lane])
                | np.int64(pixels[i, lane + 1]) << LANE
                | np.int64(pixels[i, lane + 2]) << 2 * LANE
            )
    else:
        for i in range(packed.size):
            packed[i] = np.int64(pixels[i, lane])
            if lanes == 2:
                packed[i] |= np.int64(pixels[i, lane + 1]) << LANE


@compiled
def gather(packed, index, weights, below, beside, lane, lanes, moved):
    """Bilinear, rounded half up: sums of at most 255 * 4096 + 2048 a channel, below 2^21.

    Differences of packed pixels borrow from one channel to the next, and what is added gives it
    back: all channels are one number.
    """
    half = np.int64(HALF) | np.int64(HALF) << LANE | np.int64(HALF) << 2 * LANE
    # Indices without a sign: no test whether they count from the end.
    below, beside = np.uint64(below), np.uint64(beside)
    for i in range(index.size):
        at = np.uint64(index[i])
        left, lower_left = packed[at], packed[at + below]
        right = np.int64(weights[1, i])
        upper = (left << PLACE_BITS) + right * (packed[at + beside] - left)
        lower = (lower_left << PLACE_BITS) + right * (packed[at + below + beside] - lower_left)
        total = (upper << PLACE_BITS) + np.int64(weights[0, i]) * (lower - upper) + half
        if lanes == 3:
            moved[i, lane] = np.uint8(total >> 2 * PLACE_BITS)
            moved[i, lane + 1] = np.uint8(total >> LANE + 2 * PLACE_BITS)
            moved[i, lane + 2] = np.uint8(total >> 2 * LANE + 2 * PLACE_BITS)
        else:
            moved[i, lane] = (total >> 2 * PLACE_BITS) & 255
            if lanes == 2:
                moved[i, lane + 1] = (total >> LANE + 2 * PLACE_BITS) & 255
