# Triton unpacks no tuple into another, chooses no tensor by an expression, and carries a name
# through a loop only if its type stays: hence
# ruff: noqa: RUF005, RUF059
"""The encoder on a GPU in one pass each way.

A program is a warp with a strip of one channel, which it takes through all frames of a clip; the
blurred frame before stays in its registers. Forward it reads a value once (its neighbours come from
the cache) and writes one; backward it reads the value and the incoming gradient, computes blur,
difference and sigmoids again, adds up over rows and frames in registers, and at the end writes a
handful of sums: no atomic addition, so results repeat.

Where thresholds are too far from each other for a common exponential, another form of a kernel
does the work. Only the GPU knows which, so both are launched, and one returns at once.

``python -m benchmarks.run kernels`` counts the instructions, without a GPU.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .parts import (
    CHUNK,
    COLUMNS,
    LOG2_E,
    ROWS,
    blur,
    blur_kernel,
    count_levels,
    keep_none,
    motion_of,
    none_of,
    number_of_program,
    place,
    read_thresholds,
    sigmoids,
    sigmoids_apart,
    sum_of_sigmoids,
    units,
    zeros,
)

# Sums of a program of the backward pass besides those of the thresholds.
EXTRA_SUMS = tl.constexpr(9)


@triton.jit
def range_kernel(
    x,
    sigma,
    ends,
    FRAMES: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    WHOLE: tl.constexpr,
):
    h, w = place()
    taps, slopes = blur_kernel(sigma, HALF)
    x += tl.program_id(0).to(tl.int64) * FRAMES * HEIGHT * WIDTH
    least = tl.full((COLUMNS,), float('inf'), tl.float32)
    greatest = tl.full((COLUMNS,), float('-inf'), tl.float32)
    before = zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            motion = motion_of(now, before, DIFFERENCE)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                # What is no number makes the range none.
                low = tl.where(valid, motion[r], float('inf'))
                high = tl.where(valid, motion[r], float('-inf'))
                least = tl.minimum(least, low, tl.PropagateNan.ALL)
                greatest = tl.maximum(greatest, high, tl.PropagateNan.ALL)
        before = now
        x += HEIGHT * WIDTH
    ends += 2 * number_of_program()
    none = tl.sum(tl.where(least == least, 0.0, float('nan')))
    tl.store(ends, tl.min(least) + none)
    tl.store(ends + 1, tl.max(greatest) + none)


@triton.jit
def forward_kernel(
    x,
    y,
    sigma,
    thresholds,
    lows,
    highs,
    hardness,
    eps,
    planes_a_range,
    NEAR: tl.constexpr,
    K: tl.constexpr,
    HARD: tl.constexpr,
    FRAMES: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    WHOLE: tl.constexpr,
):
    hardness = tl.load(hardness)
    sharpness = hardness * LOG2_E
    if not HARD and K <= CHUNK:
        each, middle, factors, bounds, near = read_thresholds(thresholds, 0, sharpness, K, K)
        if near != NEAR:
            return
    h, w = place()
    plane = tl.program_id(0).to(tl.int64)
    low = tl.load(lows + plane // planes_a_range)
    high = tl.load(highs + plane // planes_a_range)
    step = tl.maximum((high - low) / K, eps)
    if HARD:
        low += none_of(thresholds, K)
    taps, slopes = blur_kernel(sigma, HALF)
    x += plane * FRAMES * HEIGHT * WIDTH
    y += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    before = zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            u = units(motion_of(now, before, DIFFERENCE), low, high, eps, K, HARD)
            if NEAR:
                levels = ()
                for r in tl.static_range(ROWS):
                    total = sum_of_sigmoids(u[r], sharpness, middle, factors, bounds, K)
                    levels = levels + (total,)
            else:
                levels = count_levels(u, thresholds, 0, hardness, K, K, HARD)
            if HARD:
                levels = keep_none(levels, u)
            for r in tl.static_range(ROWS):
                value = tl.fma(levels[r], step, low)
                valid = (w < WIDTH) & (h + r < HEIGHT)
                tl.store(y + (h * WIDTH + w) + r * WIDTH, value, mask=valid)
            y += HEIGHT * WIDTH
        before = now
        x += HEIGHT * WIDTH


@triton.jit
def codes_kernel(
    frames,
    codes,
    kernel,
    thresholds,
    K: tl.constexpr,
    FRAMES: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    WHOLE: tl.constexpr,
):
    h, w = place()
    plane = tl.program_id(0).to(tl.int64)
    taps = ()
    slopes = ()
    for i in tl.static_range(HALF + 1):
        taps = taps + (tl.load(kernel + HALF + i),)
        slopes = slopes + (0.0,)
    frames += plane * FRAMES * HEIGHT * WIDTH
    codes += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    before = zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = blur(frames, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            values = motion_of(now, before, DIFFERENCE)
            levels = count_levels(values, thresholds, 0, 1.0, K, K, True)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                tl.store(codes + (h * WIDTH + w) + r * WIDTH, levels[r].to(tl.uint8), mask=valid)
            codes += HEIGHT * WIDTH
        before = now
        frames += HEIGHT * WIDTH


@triton.jit
def backward_kernel(
    x,
    g,
    sums,
    sigma,
    thresholds,
    lows,
    highs,
    hardness,
    eps,
    planes_a_range,
    chunks,
    NEAR: tl.constexpr,
    K: tl.constexpr,
    COUNT: tl.constexpr,
    HARD: tl.constexpr,
    ENDS: tl.constexpr,
    SIGMA: tl.constexpr,
    FRAMES: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    WHOLE: tl.constexpr,
):
    hardness = tl.load(hardness)
    first = tl.program_id(0) % chunks * COUNT
    sharpness = hardness * LOG2_E
    each, middle, factors, bounds, near = read_thresholds(thresholds, first, sharpness, K, COUNT)
    if near != NEAR:
        return
    h, w = place()
    plane = (tl.program_id(0) // chunks).to(tl.int64)
    low = tl.load(lows + plane // planes_a_range)
    high = tl.load(highs + plane // planes_a_range)
    taps, slopes = blur_kernel(sigma, HALF)
    x += plane * FRAMES * HEIGHT * WIDTH
    g += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    by_threshold = zeros(w, COUNT)
    one, value, slope, slope_u, slope_sigma = zeros(w, 5)
    low_count, low_slope, high_count, high_slope = zeros(w, 4)
    # Where there is no threshold, the sigmoid is 1.
    missing = tl.maximum(first + COUNT - K, 0).to(tl.float32)
    before = zeros(w, ROWS)
    before_by_sigma = zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            motion = motion_of(now, before, DIFFERENCE)
            by_sigma = motion_of(now_by_sigma, before_by_sigma, DIFFERENCE)
            u = units(motion, low, high, eps, K, HARD)
            if ENDS and HARD:
                whole = count_levels(u, thresholds, first, hardness, K, COUNT, HARD)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                g_row = tl.load(g + (h * WIDTH + w) + r * WIDTH, mask=valid, other=0.0)
                if NEAR:
                    s = sigmoids(u[r], sharpness, middle, factors, COUNT)
                else:
                    s = sigmoids_apart(u[r], hardness, each, COUNT)
                added = ()
                rise = tl.zeros(g_row.shape, tl.float32)
                level = tl.zeros(g_row.shape, tl.float32) - missing
                for k in tl.static_range(COUNT):
                    p = s[k] - s[k] * s[k]
                    added = added + (tl.fma(g_row, p, by_threshold[k]),)
                    rise += p
                    level += s[k]
                by_threshold = added
                rise *= g_row
                if SIGMA:
                    slope_sigma += rise * by_sigma[r]
                if ENDS:
                    one += g_row
                    slope += rise
                    slope_u += rise * u[r]
                    if HARD:
                        value += g_row * whole[r]
                    else:
                        value += g_row * level
                    at_low = tl.where(valid & (motion[r] == low), 1.0, 0.0)
                    at_high = tl.where(valid & (motion[r] == high), 1.0, 0.0)
                    low_count += at_low
                    low_slope += at_low * by_sigma[r]
                    high_count += at_high
                    high_slope += at_high * by_sigma[r]
            g += HEIGHT * WIDTH
        before = now
        before_by_sigma = now_by_sigma
        x += HEIGHT * WIDTH
    sums += number_of_program() * (COUNT + EXTRA_SUMS)
    for k in tl.static_range(COUNT):
        tl.store(sums + k, -hardness * tl.sum(by_threshold[k]))
    sums += COUNT
    tl.store(sums, tl.sum(one))
    tl.store(sums + 1, tl.sum(value))
    tl.store(sums + 2, hardness * tl.sum(slope))
    tl.store(sums + 3, hardness * tl.sum(slope_u))
    tl.store(sums + 4, hardness * tl.sum(slope_sigma))
    tl.store(sums + 5, tl.sum(low_count))
    tl.store(sums + 6, tl.sum(low_slope))
    tl.store(sums + 7, tl.sum(high_count))
    tl.store(sums + 8, tl.sum(high_slope))
