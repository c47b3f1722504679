"""The encoder on one channel of a clip, frame by frame, compiled by numba.

Arrays are float32 and contiguous: ``x`` and ``y`` (T, H, W), ``taps`` those of the blur along one
axis (a single 1 for no blur). A blurred frame and the one before it stay in the cache; nothing else
is kept. Loops run over a whole frame as one long row, which the compiler turns into vector
instructions (but for the scattered sums). Sums add in the order of
:mod:`~bdq_plugin.encoders.functional`, so motion is bit for bit that of the plain form. Kernels
hold no lock: channels can run in threads.
"""

from __future__ import annotations

import numba
import numpy as np

# Pixels of a still scene all meet the same node. Each adds to one of so many copies of the sums in
# turn, so that no addition waits for the one before it.
LANES = 4
MOMENTS = 3


def compiled(function=None, **options):
    """Compiled at first use, and kept on disk where there is a place for it."""
    if function is None:
        return lambda function: compiled(function, **options)
    try:
        return numba.njit(function, cache=True, nogil=True, **options)
    except RuntimeError:  # nowhere to keep it, as on a read-only file system
        return numba.njit(function, nogil=True, **options)


# ------------------------------------------------------------------ rows
@compiled
def _scale(tap, row, out):
    for w in range(out.size):
        out[w] = tap * row[w]


@compiled
def _accumulate_two(tap, row, next_tap, next_row, out):
    for w in range(out.size):
        out[w] = (out[w] + tap * row[w]) + next_tap * next_row[w]


@compiled
def _add(row, out):
    for w in range(out.size):
        out[w] += row[w]


@compiled
def _locate(motion, low, to_nodes, first_node, last_node, node, rest):
    """The node nearest to each value and the distance to it, in nodes."""
    for w in range(motion.size):
        position = (motion[w] - low) * to_nodes - first_node
        # The comparison sends a value that is no number to node 0, never outside the table.
        inside = position if position > np.float32(0) else np.float32(0)
        inside = inside if inside < last_node else last_node
        nearest = np.int32(inside + np.float32(0.5))
        node[w] = nearest
        # A value that is no number stays one.
        rest[w] = inside - np.float32(nearest) if position == position else position


@compiled
def _look_up(node, rest, terms, out):
    """The polynomial of each value's node; ``terms`` are (nodes, 4), the fourth unused."""
    for w in range(out.size):
        n, r = np.uint64(node[w]), rest[w]
        out[w] = terms[n, 0] + r * (terms[n, 1] + r * terms[n, 2])


@compiled
def _scatter(node, rest, g, moments):
    for w in range(g.size):
        place = np.uint64(node[w]) * np.uint64(LANES) + np.uint64(w % LANES)
        value, r = g[w], rest[w]
        moments[place, 0] += value
        moments[place, 1] += value * r
        moments[place, 2] += value * r * r


@compiled
def _scale_and_shift(row, scale, shift):
    for w in range(row.size):
        row[w] = shift + row[w] * scale


@compiled
def _count_below(motion, to_levels, thresholds, u, counts):
    """Hard levels into ``u``, in the order of ``functional.to_levels``; none for no number."""
    steps = np.float32(thresholds.size)
    middle, span, below = to_levels
    for w in range(u.size):
        u[w] = steps * ((motion[w] - middle) / span + below)
    counts[:] = thresholds.size
    for k in range(thresholds.size):
        threshold = thresholds[k]
        if np.isnan(threshold):
            u[:] = threshold
        for w in range(u.size):
            counts[w] -= np.int32(u[w] <= threshold)
    for w in range(u.size):
        u[w] = np.float32(counts[w]) if u[w] == u[w] else u[w]


# A sum over a frame may be taken in any order, so in vectors.
@compiled(fastmath={'reassoc'})
def _dot(a, b):
    total = np.float32(0)
    for w in range(a.size):
        total += a[w] * b[w]
    return total


@compiled(fastmath={'reassoc'})
def _dot3(a, b, c):
    total = np.float32(0)
    for w in range(a.size):
        total += a[w] * b[w] * c[w]
    return total


@compiled(fastmath={'reassoc'})
def _count_and_sum_where(row, end, values):
    count, total = 0, np.float32(0)
    for w in range(row.size):
        attains = row[w] == end
        count += attains
        total += values[w] if attains else np.float32(0)
    return count, total


# ------------------------------------------------------------------ frames
@compiled
def _pad(frame, margin, zeros, padded):
    height, width = frame.shape
    for h in range(padded.shape[0]):
        source = min(max(h - margin, 0), height - 1)
        outside = zeros and source != h - margin
        for w in range(width):
            padded[h, margin + w] = np.float32(0) if outside else frame[source, w]
        for w in range(margin):
            padded[h, w] = np.float32(0) if zeros else padded[h, margin]
            padded[h, margin + width + w] = (
                np.float32(0) if zeros else padded[h, margin + width - 1]
            )


@compiled
def _filter(values, taps, stride, out):
    """``out[i] = sum_k taps[k] values[i + k * stride]``, as far as ``values`` go."""
    size = values.size - (taps.size - 1) * stride
    out = out[:size]
    _scale(taps[0], values[:size], out)
    for k in range(1, taps.size, 2):
        row, next_row = values[k * stride :], values[(k + 1) * stride :]
        _accumulate_two(taps[k], row, taps[k + 1], next_row, out)


@compiled
def _blur(padded, row_taps, column_taps, rows, out):
    """Filter a padded frame; rows of ``out`` are as long as padded ones, their ends are waste."""
    used = padded.size - row_taps.size + 1
    _filter(padded.reshape(-1), row_taps, 1, rows)
    _filter(rows[:used], column_taps, padded.shape[1], out.reshape(-1))


@compiled
def _subtract(now, before, out):
    for h in range(out.shape[0]):
        for w in range(out.shape[1]):
            out[h, w] = now[h, w] - before[h, w]


# ------------------------------------------------------------------ a channel
@compiled
def store_motion(x, taps, zeros, difference, y):
    """Blur and difference of ``x`` into ``y``."""
    frames, height, width = x.shape
    margin = taps.size // 2
    padded = np.empty((height + 2 * margin, width + 2 * margin), np.float32)
    rows = np.empty(padded.size, np.float32)
    now = np.zeros((height, padded.shape[1]), np.float32)
    before = np.zeros_like(now)
    for t in range(frames):
        _pad(x[t], margin, zeros, padded)
        _blur(padded, taps, taps, rows, now)
        if t >= difference:
            # Without a difference the frame before stays zero.
            _subtract(now, before, y[t - difference])
        if difference:
            now, before = before, now


@compiled
def soft_levels(y, low, step, to_nodes, first_node, terms):
    """Replace motion by the soft staircase, looked up in ``terms`` (nodes, 4)."""
    size = y.shape[1] * y.shape[2]
    node, rest = np.empty(size, np.int32), np.empty(size, np.float32)
    last_node = np.float32(terms.shape[0] - 1)
    for t in range(y.shape[0]):
        frame = y[t].reshape(-1)
        _locate(frame, low, to_nodes, first_node, last_node, node, rest)
        _look_up(node, rest, terms, frame)
        _scale_and_shift(frame, step, low)


@compiled
def hard_levels(y, low, step, to_levels, thresholds):
    """Replace motion by the hard staircase."""
    size = y.shape[1] * y.shape[2]
    u, counts = np.empty(size, np.float32), np.empty(size, np.int32)
    for t in range(y.shape[0]):
        frame = y[t].reshape(-1)
        _count_below(frame, to_levels, thresholds, u, counts)
        frame[:] = u
        _scale_and_shift(frame, step, low)


@compiled
def backward(
    x,
    g,
    taps,
    taps_by_sigma,
    zeros,
    difference,
    low,
    high,
    to_levels,
    to_nodes,
    first_node,
    slope_terms,
    thresholds,
    needs_sigma,
    needs_ends,
    hard,
):
    """Sums over one channel, weighted by the incoming gradient ``g`` (shaped like the output).

    Returns:
        The moments of each node, float64 (3, nodes), and six float64 sums: of ``g`` times slope
        times the motion's derivative to sigma, of ``g`` times hard levels, and for each end of the
        range the number of values that attain it and the sum of their derivatives to sigma.
    """
    frames, height, width = x.shape
    margin = taps.size // 2
    padded = np.empty((height + 2 * margin, width + 2 * margin), np.float32)
    rows = np.empty(padded.size, np.float32)
    now = np.zeros((height, padded.shape[1]), np.float32)
    before, other = np.zeros_like(now), np.zeros_like(now)
    now_by_sigma, before_by_sigma = np.zeros_like(now), np.zeros_like(now)
    motion_frame = np.zeros((height, width), np.float32)
    by_sigma_frame = np.zeros_like(motion_frame)
    motion, by_sigma = motion_frame.reshape(-1), by_sigma_frame.reshape(-1)
    rest, levels = np.empty_like(motion), np.empty_like(motion)
    node, counts = np.empty(motion.size, np.int32), np.empty(motion.size, np.int32)
    nodes = slope_terms.shape[0]
    last_node = np.float32(nodes - 1)
    moments = np.zeros((nodes * LANES, MOMENTS))
    sums = np.zeros(6)
    for t in range(frames):
        _pad(x[t], margin, zeros, padded)
        _blur(padded, taps, taps, rows, now)
        if needs_sigma:
            # The product rule: a kernel along the rows times one down the columns.
            _blur(padded, taps_by_sigma, taps, rows, now_by_sigma)
            _blur(padded, taps, taps_by_sigma, rows, other)
            _add(other.reshape(-1), now_by_sigma.reshape(-1))
        if t >= difference:
            g_frame = g[t - difference].reshape(-1)
            _subtract(now, before, motion_frame)
            _locate(motion, low, to_nodes, first_node, last_node, node, rest)
            _scatter(node, rest, g_frame, moments)
            if needs_sigma:
                _subtract(now_by_sigma, before_by_sigma, by_sigma_frame)
                _look_up(node, rest, slope_terms, levels)
                sums[0] += _dot3(g_frame, levels, by_sigma)
            if needs_ends:
                if hard:
                    _count_below(motion, to_levels, thresholds, levels, counts)
                    sums[1] += _dot(g_frame, levels)
                for end, at in ((low, 2), (high, 4)):
                    count, total = _count_and_sum_where(motion, end, by_sigma)
                    sums[at] += count
                    sums[at + 1] += total
        if difference:
            now, before = before, now
            now_by_sigma, before_by_sigma = before_by_sigma, now_by_sigma
    by_node = np.zeros((MOMENTS, nodes))
    for n in range(nodes):
        for lane in range(LANES):
            for m in range(MOMENTS):
                by_node[m, n] += moments[n * LANES + lane, m]
    return by_node, sums
