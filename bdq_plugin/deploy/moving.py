"""The geometric dither of a stream: each frame moved by a secret geometry before it is encoded.

Two implementations of :mod:`bdq_plugin.geometry`: its own in NumPy, to read, and a compiled one, to
run. That one packs three channels of a pixel into one number of 64 bits, 21 bits each, so that
three products move all three at once.
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
        count = self._begin_frame(*frame.shape[:2])
        if not self.compiled:
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
        size = shape[0] * shape[1]
        if self._moment is None:
            self._index = np.empty(size, np.uint32)
            self._weights = np.empty((2, size), np.uint8)
            self._packed = np.empty(size, np.int64)
        first, second, share = self._path.ends(count)
        second = first if second is None else second
        planes = first.reshape(2, size), second.reshape(2, size)
        _kernels().lay_out(*planes, share, *shape[:2], self._index, self._weights)

    def _move(self, frame: np.ndarray) -> np.ndarray:
        height, width, channels = frame.shape
        pixels = np.ascontiguousarray(frame).reshape(-1, channels)
        moved = np.empty_like(pixels)
        below, beside = width * (height > 1), int(width > 1)
        kernels = _kernels()
        for lane in range(0, channels, 3):
            lanes = min(3, channels - lane)
            kernels.pack(pixels, lane, lanes, self._packed)
            places = self._index, self._weights, below, beside
            kernels.gather(self._packed, *places, lane, lanes, moved)
        return moved.reshape(frame.shape)


def _kernels() -> ModuleType:
    # Here, not at the top: numba takes a second to import.
    from . import moving_kernels

    return moving_kernels
