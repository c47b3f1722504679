"""The geometric dither of a stream: each frame moved by a secret geometry before it is encoded.

Two implementations of :mod:`bdq_plugin.geometry`: its own in NumPy, to read, and a compiled one, to
run, a row at a time.
"""

from __future__ import annotations

import os
from types import ModuleType

import numpy as np

from ..geometry import SECRET_BYTES, Geometry, Path, resample


class Mover:
    """Move the frames of one stream, all of one shape.

    Args:
        geometry: how strong.
        secret: 32 bytes; None takes them from the operating system. They are kept in memory alone.
        compiled: whether to run the compiled form. It may change between two frames.
    """

    def __init__(
        self, geometry: Geometry, secret: bytes | None = None, *, compiled: bool = True
    ) -> None:
        self._geometry, self.compiled = geometry, compiled
        self._secret = os.urandom(SECRET_BYTES) if secret is None else secret
        self._path: Path | None = None
        self._count = 0
        self._moment: tuple[int, int] | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The next frame, uint8 (H, W, C), moved; in memory of its own."""
        height, width, channels = frame.shape
        count = self._begin_frame(height, width)
        # The compiled form reads four bytes at once, also above a pixel of the lower row.
        if not self.compiled or height == 1 or width * channels < 4:
            return resample(frame, self._path.at(count))
        moment = self._geometry.moment(count)
        if moment != self._moment:
            self._lay_out(count, frame.shape)
            self._moment = moment
        return self._move(frame)

    def ends(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray | None, int]:
        """The next frame's places, for one who moves it elsewhere: see :meth:`Path.ends`."""
        count = self._begin_frame(height, width)
        return self._path.ends(count)

    def _begin_frame(self, height: int, width: int) -> int:
        if self._path is None:
            self._path = Path(self._geometry, self._secret, height, width)
        self._count += 1
        return self._count - 1

    def _lay_out(self, count: int, shape: tuple[int, ...]) -> None:
        height, width, _ = shape
        size = height * width
        if self._moment is None:
            self._index = np.empty(size, np.uint32)
            self._weights = np.empty((2, size), np.uint8)
            self._last = np.empty(height, np.int64)
            # A row's neighbours, weights and moved pixels, and what stands between two steps.
            self._words = np.empty((7, width), np.uint32)
            self._sums = np.empty((2, 4 * width), np.int16)
        first, second, share = self._path.ends(count)
        second = first if second is None else second
        planes = first.reshape(2, size), second.reshape(2, size)
        places = self._index, self._weights, self._last
        _kernels().lay_out(*planes, share, *shape, *places)

    def _move(self, frame: np.ndarray) -> np.ndarray:
        height, width, channels = frame.shape
        pixels = np.ascontiguousarray(frame).reshape(-1)
        moved = np.empty((height * width, channels), np.uint8)
        places = self._index, self._weights, self._last
        steps = width * channels, channels * (width > 1)
        rows = self._words, self._words.view(np.uint8), self._sums
        _kernels().move(pixels, *places, *steps, *rows, moved)
        return moved.reshape(frame.shape)


def _kernels() -> ModuleType:
    # Here, not at the top: numba takes a second to import.
    from . import moving_kernels

    return moving_kernels
