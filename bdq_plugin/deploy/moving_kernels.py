"""The geometric dither of a stream, compiled by numba; see :mod:`bdq_plugin.deploy.moving`.

The four neighbours of each pixel are read, wherever they lie, and put side by side, a row at a
time. What is computed of them then lies in order, in loops that the compiler turns into vector
instructions on numbers of 16 bits.
"""

from __future__ import annotations

import numpy as np

from ..geometry import DRAW_BITS, PLACE_BITS, PLACE_UNIT
from .compilation import compiled

UNIT = np.int32(PLACE_UNIT)
# Channels of a pixel that lie in one word of 32 bits.
LANES = 4
# Bytes of a frame that are read before a row needs them, and those that a cache fetches at once.
AHEAD = 4096
LINE = 64


@compiled
def lay_out(first, second, share, height, width, channels, index, weights, last):
    """Places on the way from ``first`` to ``second``, to the upper left pixel's index and weights.

    What :func:`bdq_plugin.geometry.mix` and :func:`bdq_plugin.geometry.neighbours` compute; and
    the greatest index of each row.
    """
    last_row, last_column = max(height - 2, 0), max(width - 2, 0)
    last[:] = 0
    for i in range(index.size):
        y = first[0, i] + ((np.int64(second[0, i]) - first[0, i]) * share >> DRAW_BITS)
        x = first[1, i] + ((np.int64(second[1, i]) - first[1, i]) * share >> DRAW_BITS)
        row, column = min(y >> PLACE_BITS, last_row), min(x >> PLACE_BITS, last_column)
        index[i] = (row * width + column) * channels
        weights[0, i] = y - (row << PLACE_BITS)
        weights[1, i] = x - (column << PLACE_BITS)
        last[i // width] = max(last[i // width], index[i])


@compiled
def _read_ahead(pixels, start, stop, read):
    """Read on in order: caches fetch ahead for it, and not for single pixels."""
    for at in range(start, stop, LINE):
        read[0] |= pixels[at]
    return max(start, stop)


@compiled
def _load(pixels, at):
    """Four bytes, which the compiler loads at once."""
    word = np.uint64(0)
    for k in range(LANES):
        word |= np.uint64(pixels[at + np.uint64(k)]) << np.uint64(8 * k)
    return word


@compiled
def _gather(pixels, index, below, beside, channels, words):
    """The four neighbours, of up to four channels.

    Lower ones are read some bytes early, so that nothing beyond the frame is.
    """
    early = LANES - channels
    # Indices without a sign: no test whether they count from the end.
    beside, below, shift = np.uint64(beside), np.uint64(below - early), np.uint64(8 * early)
    a, b, c, d = words[0], words[1], words[2], words[3]
    for i in range(index.size):
        at = np.uint64(index[i])
        a[i], b[i] = _load(pixels, at), _load(pixels, at + beside)
        c[i] = _load(pixels, at + below) >> shift
        d[i] = _load(pixels, at + below + beside) >> shift


@compiled
def _spread(weights, words):
    """A pixel's weight beside each of its channels."""
    for i in range(words.size):
        words[i] = weights[i] * np.uint32(0x01010101)


@compiled
def _blend_columns(left, right, weights, out):
    for i in range(out.size):
        out[i] = UNIT * left[i] + weights[i] * (np.int32(right[i]) - left[i])


@compiled
def _way_down(left, right, weights, upper, out):
    """What the lower row has more than the upper one."""
    for i in range(out.size):
        lower = UNIT * left[i] + weights[i] * (np.int32(right[i]) - left[i])
        out[i] = lower - upper[i]


@compiled
def _blend_rows(upper, way, weights, out):
    """Rounded half up.

    The way from the upper to the lower row is divided first, and its rest apart, so that all
    numbers keep to 16 bits; the sum, rounded down, is the same.
    """
    for i in range(out.size):
        whole = weights[i] * (way[i] >> PLACE_BITS)
        rest = weights[i] * (way[i] & PLACE_UNIT - 1) >> PLACE_BITS
        out[i] = upper[i] + whole + rest + PLACE_UNIT // 2 >> PLACE_BITS


@compiled
def _store(lanes, first, count, moved):
    """Of each word ``count`` channels, to channel ``first`` and those behind it."""
    size, channels = moved.shape
    out = moved.reshape(-1)
    # The usual numbers stand here for the compiler to know them.
    if channels == 3:
        for i in range(size):
            for k in range(3):
                out[3 * i + k] = lanes[LANES * i + k]
    elif channels == 1:
        for i in range(size):
            out[i] = lanes[LANES * i]
    else:
        for i in range(size):
            for k in range(count):
                out[channels * i + first + k] = lanes[LANES * i + k]


@compiled
def move(pixels, index, weights, last, below, beside, words, lanes, sums, moved):
    """Move a frame.

    Args:
        pixels: uint8, (H * W * C,).
        index, weights, last: what :func:`lay_out` makes.
        below, beside: bytes from a pixel to the one below and to the one on its right.
        words: uint32, (7, W): a row's four neighbours, its two weights and what comes of them.
        lanes: the same memory as uint8, (7, 4 * W).
        sums: int16, (2, 4 * W), for what stands between two steps.
        moved: uint8, (H * W, C), to write to.
    """
    width, channels = words.shape[1], moved.shape[1]
    read, ahead = np.zeros(1, np.uint8), 0
    upper, way = sums[0], sums[1]
    for row in range(last.size):
        here = slice(row * width, (row + 1) * width)
        ahead = _read_ahead(pixels, ahead, min(last[row] + AHEAD, pixels.size), read)
        _spread(weights[0, here], words[4])
        _spread(weights[1, here], words[5])
        for lane in range(0, channels, LANES):
            count = min(LANES, channels - lane)
            _gather(pixels[lane:], index[here], below, beside, count, words)
            _blend_columns(lanes[0], lanes[1], lanes[5], upper)
            _way_down(lanes[2], lanes[3], lanes[5], upper, way)
            _blend_rows(upper, way, lanes[4], lanes[6])
            _store(lanes[6], lane, count, moved[here])
