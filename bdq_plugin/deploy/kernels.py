"""Blur, difference and quantisation in one pass over a frame, compiled by numba.

A frame is read row by row: rows are filtered along y into one row, and this along x, so that what
stands between two steps stays in the processor's cache. Each inner loop is a plain one over
contiguous memory without branches, which the compiler turns into vector instructions. All
arithmetic is in whole numbers.
"""

from __future__ import annotations

import numpy as np

from ..camera_form import CameraForm
from .compilation import compiled

# Thresholds are counted this many at a time, in registers; 4-bit codes have 15.
GROUP = 15


@compiled
def _scale(tap, row, out):
    for i in range(out.size):
        out[i] = tap * row[i]


@compiled
def _accumulate(tap, left, right, out):
    for i in range(out.size):
        out[i] += tap * (np.int32(left[i]) + right[i])


@compiled
def _five(taps, r0, r1, r2, r3, r4, out):
    """A symmetric kernel of five taps in one pass."""
    a, b, c = taps[0], taps[1], taps[2]
    for i in range(out.size):
        out[i] = a * (np.int32(r0[i]) + r4[i]) + b * (np.int32(r1[i]) + r3[i]) + c * r2[i]


@compiled
def _filter_column(frame, y, taps, beyond, out):
    """Along y: sums of at most 255 * 256, so 16 bits do; the kernel is symmetric.

    ``beyond`` is what lies beyond the frame: a row of zeros, or nothing for its outermost rows.
    """
    half, last = taps.size // 2, frame.shape[0] - 1
    if half == 2 and half <= y <= last - half:
        _five(taps, frame[y - 2], frame[y - 1], frame[y], frame[y + 1], frame[y + 2], out)
        return
    _scale(taps[half], frame[y], out)
    for k in range(1, half + 1):
        above, below = frame[max(y - k, 0)], frame[min(y + k, last)]
        if beyond.size:
            above, below = beyond if y < k else above, beyond if y + k > last else below
        _accumulate(taps[half - k], above, below, out)


@compiled
def _pad_row(row, margin, zeros, channels):
    """Fill both margins of a row."""
    size = row.size - 2 * margin
    for i in range(margin):
        row[i] = 0 if zeros else row[margin + i % channels]
        row[margin + size + i] = 0 if zeros else row[margin + size - channels + i % channels]


@compiled
def _filter_row(padded, taps, channels, out):
    """Along x: sums of at most 24 bits."""
    half, size = taps.size // 2, out.size
    if half == 2:
        p1, p2 = padded[channels:][:size], padded[2 * channels :][:size]
        p3, p4 = padded[3 * channels :][:size], padded[4 * channels :][:size]
        _five(taps, padded[:size], p1, p2, p3, p4, out)
        return
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
def _count_below(values, t, counts):
    """How many of a group's thresholds lie strictly below each value."""
    t0, t1, t2, t3, t4, t5, t6, t7 = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
    t8, t9, ta, tb, tc, td, te = t[8], t[9], t[10], t[11], t[12], t[13], t[14]
    for i in range(values.size):
        v = values[i]
        counts[i] = (
            np.int32(v > t0)
            + np.int32(v > t1)
            + np.int32(v > t2)
            + np.int32(v > t3)
            + np.int32(v > t4)
            + np.int32(v > t5)
            + np.int32(v > t6)
            + np.int32(v > t7)
            + np.int32(v > t8)
            + np.int32(v > t9)
            + np.int32(v > ta)
            + np.int32(v > tb)
            + np.int32(v > tc)
            + np.int32(v > td)
            + np.int32(v > te)
        )


@compiled
def _store(counts, first, codes):
    if first:
        for i in range(codes.size):
            codes[i] = counts[i]
    else:
        for i in range(codes.size):
            codes[i] += counts[i]


@compiled
def _quantize(values, thresholds, counts, codes):
    if thresholds.size == 1:
        threshold = thresholds[0]
        for i in range(codes.size):
            codes[i] = values[i] > threshold
        return
    for k in range(0, thresholds.size, GROUP):
        _count_below(values, thresholds[k : k + GROUP], counts)
        _store(counts, k == 0, codes)


@compiled
def _encode(
    frame,
    channels,
    previous,
    taps,
    block,
    thresholds,
    magnitude,
    difference,
    first,
    noise,
    beyond,
    padded,
    rows,
    codes,
):
    """One frame; see :class:`FrameKernel` for the arguments.

    ``beyond`` is a row of zeros, or empty where the frame's edge goes on beyond it. ``padded`` is a
    row with its margins.
    """
    height, margin = frame.shape[0], taps.size // 2 * channels
    blurred, sums = rows[0], rows[1]
    size = codes.shape[1]
    values, counts = rows[2][:size], rows[3][:size]
    if block == 1:
        blurred = values
    for y in range(height):
        _filter_column(frame, y, taps, beyond, padded[margin : margin + frame.shape[1]])
        _pad_row(padded, margin, beyond.size > 0, channels)
        _filter_row(padded, taps, channels, blurred)
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
        _quantize(values, thresholds, counts, codes[row])


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
        # Filled up to whole groups with a threshold that no value exceeds; one stands alone.
        missing = -len(thresholds) % GROUP if len(thresholds) > 1 else 0
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
                np.zeros(size if self.zeros else 0, np.uint8),
                np.empty(size + (taps - 1) * channels, np.uint16),
                np.empty((4, size), np.int32),
            )
        small = previous.shape[0], previous.shape[1] * channels
        codes = np.empty(small, np.uint8)
        _encode(
            frame.reshape(height, size),
            channels,
            previous.reshape(small),
            self.taps,
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
