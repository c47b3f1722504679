"""Blur, difference and quantisation in one pass over a frame, compiled by numba.

A frame is read once, row by row; what stands between two steps is a few rows that stay in the
processor's cache. Each inner loop is a plain one over contiguous memory without branches, which the
compiler turns into vector instructions. All arithmetic is in whole numbers.
"""

from __future__ import annotations

import numpy as np

from ..camera_form import CameraForm
from .compilation import compiled

# Thresholds are counted this many at a time: the partial count stays in a register.
GROUP = 8


@compiled
def _pad_row(pixels, margin, zeros, channels, padded):
    """A row of pixels to ``padded``, which is longer by ``margin`` values at each end."""
    size = pixels.size
    for i in range(margin):
        padded[i] = 0 if zeros else pixels[i % channels]
        padded[margin + size + i] = 0 if zeros else pixels[size - channels + i % channels]
    inside = padded[margin : margin + size]
    for i in range(size):
        inside[i] = pixels[i]


@compiled
def _scale(tap, row, out):
    for i in range(out.size):
        out[i] = tap * row[i]


@compiled
def _accumulate(tap, left, right, out):
    for i in range(out.size):
        out[i] += tap * (np.int32(left[i]) + right[i])


@compiled
def _filter_row(padded, taps, channels, out):
    """Sums of at most 255 * 256, so 16 bits do; the kernel is symmetric."""
    half, size = taps.size // 2, out.size
    _scale(taps[half], padded[half * channels :][:size], out)
    for k in range(half):
        left, right = padded[k * channels :], padded[(taps.size - 1 - k) * channels :]
        _accumulate(taps[k], left[:size], right[:size], out)


@compiled
def _sum_rows(row, first, sums):
    """Sums of at most 128 values of 24 bits, so 32 bits do."""
    if first:
        for i in range(sums.size):
            sums[i] = row[i]
    else:
        for i in range(sums.size):
            sums[i] += row[i]


@compiled
def _block_means(sums, block, channels, out):
    """Means of blocks from the sums of their columns, rounded down."""
    for i in range(out.size // channels):
        for c in range(channels):
            total = np.int64(0)
            for k in range(i * block, (i + 1) * block):
                total += sums[k * channels + c]
            out[i * channels + c] = total // (block * block)


@compiled
def _subtract(values, previous):
    """``values`` becomes the difference, ``previous`` what ``values`` was."""
    for i in range(values.size):
        value = values[i]
        values[i] = value - previous[i]
        previous[i] = value


@compiled
def _add(noise, values):
    for i in range(values.size):
        values[i] += noise[i]


@compiled
def _fold(values):
    for i in range(values.size):
        values[i] = abs(values[i])


@compiled
def _count_below(values, t0, t1, t2, t3, t4, t5, t6, t7, counts):
    """Add to ``counts`` how many of the eight thresholds lie strictly below each value."""
    for i in range(values.size):
        v = values[i]
        counts[i] += (
            np.int32(v > t0)
            + np.int32(v > t1)
            + np.int32(v > t2)
            + np.int32(v > t3)
            + np.int32(v > t4)
            + np.int32(v > t5)
            + np.int32(v > t6)
            + np.int32(v > t7)
        )


@compiled
def _store(counts, out):
    for i in range(out.size):
        out[i] = counts[i]


@compiled
def _encode(
    frame,
    channels,
    previous,
    taps,
    zeros,
    block,
    thresholds,
    magnitude,
    difference,
    first,
    noise,
    padded,
    ring,
    rows,
    codes,
):
    """One frame; see :class:`FrameKernel` for the arguments.

    ``ring`` holds the last ``taps.size`` filtered rows and, behind them, one row of zeros.
    """
    height, half = frame.shape[0], taps.size // 2
    blurred, sums = rows[0], rows[1]
    size = codes.shape[1]
    values, counts = rows[2][:size], rows[3][:size]
    if block == 1:
        blurred = values
    filtered = 0
    for y in range(height):
        while filtered <= min(y + half, height - 1):
            _pad_row(frame[filtered], half * channels, zeros, channels, padded)
            _filter_row(padded, taps, channels, ring[filtered % taps.size])
            filtered += 1
        _scale(taps[half], ring[y % taps.size], blurred)
        for k in range(half):
            above, below = y - half + k, y + half - k
            if zeros:
                above = above % taps.size if above >= 0 else taps.size
                below = below % taps.size if below < height else taps.size
            else:
                above, below = max(above, 0) % taps.size, min(below, height - 1) % taps.size
            _accumulate(taps[k], ring[above], ring[below], blurred)
        row = y // block
        if block > 1:
            _sum_rows(blurred, y % block == 0, sums)
            if y % block < block - 1:
                continue
            _block_means(sums, block, channels, values)
        if difference:
            if first:
                previous[row] = values
                continue
            _subtract(values, previous[row])
        if noise.size:
            _add(noise[row], values)
        if magnitude:
            _fold(values)
        counts[:] = 0
        for k in range(0, thresholds.size, GROUP):
            t = thresholds[k : k + GROUP]
            _count_below(values, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], counts)
        _store(counts, codes[row])


class FrameKernel:
    """The compiled step of one stream, with the rows that it works in.

    Args:
        form: the encoder.
        thresholds: its thresholds, int32.
    """

    def __init__(self, form: CameraForm, thresholds: np.ndarray) -> None:
        self.taps = np.array(form.kernel, np.int32)
        self.zeros = form.padding == 'zeros'
        self.magnitude = form.magnitude
        self.difference, self.block = form.difference, form.block
        # Filled up to whole groups with a threshold that no value exceeds.
        missing = -len(thresholds) % GROUP
        self.thresholds = np.append(thresholds, [np.iinfo(np.int32).max] * missing).astype(np.int32)
        self._row_layout: tuple[int, int] | None = None
        self._rows: tuple[np.ndarray, ...] = ()

    def __call__(
        self, frame: np.ndarray, previous: np.ndarray, *, first: bool, noise: np.ndarray | None
    ) -> np.ndarray | None:
        """Encode a frame.

        Args:
            frame: uint8, (H, W, C), contiguous.
            previous: int32, (H / block, W / block, C): the previous blurred frame, or its means of
                blocks, overwritten by this one's.
            first: ``previous`` holds nothing yet.
            noise: int32, shaped like ``previous``, added before the thresholds, or None.

        Returns:
            uint8 codes, shaped like ``previous``, or None where this frame only sets the state.
        """
        height, width, channels = frame.shape
        size, taps = width * channels, self.taps.size
        if self._row_layout != (size, channels):
            self._row_layout = (size, channels)
            self._rows = (
                np.empty(size + (taps - 1) * channels, np.uint8),
                np.zeros((taps + 1, size), np.uint16),
                np.empty((4, size), np.int32),
            )
        small = previous.shape[0], previous.shape[1] * channels
        codes = np.empty(small, np.uint8)
        _encode(
            frame.reshape(height, size),
            channels,
            previous.reshape(small),
            self.taps,
            self.zeros,
            self.block,
            self.thresholds,
            self.magnitude,
            self.difference,
            first,
            np.empty((0, 0), np.int32) if noise is None else noise.reshape(small),
            *self._rows,
            codes,
        )
        return None if first and self.difference else codes.reshape(previous.shape)


def compile_kernels(form: CameraForm) -> None:
    """Let numba compile what :class:`FrameKernel` runs, once for all forms, or read it from its
    cache."""
    channels, side = 1, form.block
    previous = np.zeros((1, 1, channels), np.int32)
    frame = np.zeros((side, side, channels), np.uint8)
    FrameKernel(form, np.zeros(1, np.int32))(frame, previous, first=False, noise=None)
