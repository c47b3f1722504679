"""The geometric dither of a stream, compiled by numba; see :mod:`bdq_plugin.deploy.moving`."""

from __future__ import annotations

import numpy as np

from ..geometry import DRAW_BITS, PLACE_BITS
from .compilation import compiled

LANE = 21
HALF = 1 << 2 * PLACE_BITS - 1


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
