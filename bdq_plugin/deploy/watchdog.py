"""What leaves is codes: proved of every frame, by a second implementation, before a writer sees it.

::

    frame t ----encoder (numba)-----> codes --+
       |                                      +--> the same at a place that nobody foresees? --> out
       +--plain NumPy, a few pixels of it-----+

A fault in the encoder (its compiled kernel, its memory, its numbers in a process that runs for
months) would send pictures of people. So a few pixels of each frame, at a place drawn anew from the
operating system, are encoded a second time by the functions that are written to be read, from the
clear frames alone. One code that differs, and nothing of that frame leaves, nor of any later one.
"""

from __future__ import annotations

import secrets

import numpy as np

from ..camera_form import CameraForm
from .streaming import codes_shape, plain_block_mean, plain_blur

# Codes along each side of the place that is looked at.
SIDE = 16


class LeakError(RuntimeError):
    """What the encoder gave is not the codes of the frame."""


class Watchdog:
    """Compare codes with the frames that they were made of.

    It looks at :data:`SIDE` x :data:`SIDE` codes a frame in all channels. With dither, geometric
    dither or randomised response codes cannot be foretold: there it holds their shape, type and
    range alone, and :attr:`compares` is False.

    Args:
        form: the encoder in whole numbers, as read once at the start.

    Attributes:
        compares (bool): whether codes are compared, and not their range alone.
        frames (int): how many were found to be right.
    """

    def __init__(self, form: CameraForm) -> None:
        self._form = form
        self._thresholds = np.array(form.thresholds, np.int64)
        self.compares = not form.dither and form.geometry is None and not form.flip
        self.frames = 0
        self.reset()

    def reset(self) -> None:
        """A new stream begins, of any shape."""
        self._place: tuple[int, int] | None = None
        self._before: np.ndarray | None = None

    def __call__(self, frame: np.ndarray, codes: np.ndarray | None) -> None:
        """Look at a frame, and at what the encoder has made of it.

        Args:
            frame: uint8, (H, W) or (H, W, C), as the encoder was given it.
            codes: what it gave; None for the first frame of an encoder with difference.

        Raises:
            LeakError: something else than codes of this frame. Nothing of it may leave.
        """
        if codes is not None:
            self._check_range(frame, codes)
            if self.compares:
                self._check_codes(frame, codes)
            self.frames += 1
        elif not self._form.difference or self._place is not None:
            raise LeakError('the encoder gave nothing for a frame that has codes')
        # The place for the next difference; who made this frame did not know it.
        height, width = codes_shape(self._form, frame.shape)[:2]
        self._place = secrets.randbelow(height), secrets.randbelow(width)
        self._before = self._means(frame) if self.compares and self._form.difference else None

    def _check_range(self, frame: np.ndarray, codes: np.ndarray) -> None:
        shape = codes_shape(self._form, frame.shape)
        if codes.dtype != np.uint8 or codes.shape != shape:
            raise LeakError(
                f'the encoder gave {codes.dtype} {codes.shape}, but codes are uint8 {shape}'
            )
        if codes.max() >= self._form.num_levels or np.shares_memory(codes, frame):
            raise LeakError('the encoder gave values that are no levels, or the frame itself')
        if self._form.difference and self._place is None:
            raise LeakError('the encoder gave codes of a first frame: it shows the person')

    def _check_codes(self, frame: np.ndarray, codes: np.ndarray) -> None:
        if self._place is None:  # of an encoder without difference
            self._place = 0, 0
        values = self._means(frame)
        if self._form.difference:
            values = values - self._before
        if self._form.magnitude:
            values = np.abs(values)
        expected = np.searchsorted(self._thresholds, values, side='left')
        top, left = self._place
        found = codes.reshape(*codes.shape[:2], -1)[top : top + SIDE, left : left + SIDE]
        if not np.array_equal(found, expected):
            raise LeakError(
                f'the encoder gave other codes than those of the frame, near row {top}, column '
                f'{left}: nothing of it was sent. Start anew; if it happens again, do not use it '
                'on this machine'
            )

    def _means(self, frame: np.ndarray) -> np.ndarray:
        """Blurred pixels, or means of blocks, at the place: int32, (SIDE, SIDE, C) or less."""
        block, half = self._form.block, len(self._form.kernel) // 2
        sides = []
        for start, size in zip(self._place, frame.shape[:2], strict=True):
            begin, end = start * block, min((start + SIDE) * block, size)
            sides.append((begin, end, max(begin - half, 0), min(end + half, size)))
        (top, bottom, above, below), (left, right, before, behind) = sides
        # With the pixels around it that the blur reads; at the border they are the frame's own.
        around = frame[above:below, before:behind].reshape(below - above, behind - before, -1)
        blurred = plain_blur(self._form, around)
        inner = blurred[top - above : bottom - above, left - before : right - before]
        return plain_block_mean(inner, block)
