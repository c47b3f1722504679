# Triton unpacks no tuple into another, chooses no tensor by an expression, and carries a name
# through a loop only if its type stays: hence
# ruff: noqa: RUF005, SIM108
"""What the Triton kernels are made of: the blur of a strip, and the staircase.

A strip is ``ROWS`` rows of a frame by ``COLUMNS`` columns, one a thread: a tuple of rows. It all
stays in registers.

Exponentials and divisions are what a GPU is slowest at. ``exp(-H (u - b))`` of all thresholds b
comes from one exponential, times a factor that does not depend on u, and forward three sigmoids
share a division (:func:`sum_of_sigmoids`).
"""

from __future__ import annotations

import os

import torch
import triton
import triton.language as tl

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
# What a warp holds in its registers: rows of its strip, and sums of as many thresholds. More
# thresholds are shared out among more programs.
ROWS, COLUMNS, CHUNK = tl.constexpr(8), tl.constexpr(32), tl.constexpr(15)
LOG2_E = tl.constexpr(1.4426950408889634)
# Powers of two. The denominators of three sigmoids are bounded together, so that their product is a
# float32: to LARGEST in the mean. So far below it the least of them may lie, and its sigmoid still
# be 0 to 2^-24. So far a threshold may lie from the middle of all, before an exponential that is
# between 2^-126 and 2^126 cannot tell on which side of it u lies.
LARGEST, SPREAD, REACH = tl.constexpr(41.0), tl.constexpr(17.0), tl.constexpr(102.0)
# NVIDIA's reciprocal for numbers that are neither tiny nor huge is one instruction.
HAS_RECIPROCAL = tl.constexpr(torch.version.cuda is not None and not INTERPRETED)


# ------------------------------------------------------------------ the blur
@triton.jit
def blur_kernel(sigma, HALF: tl.constexpr):
    """The blur's taps from the middle outwards and their derivatives to sigma, see operation.py."""
    taps = (1.0,)
    slopes = (0.0,)
    if HALF > 0:
        width = tl.load(sigma)
        total = 1.0
        growth = 0.0
        for i in tl.static_range(1, HALF + 1):
            weight = tl.exp(-0.5 * (i / width) * (i / width))
            total += 2 * weight
            growth += 2 * weight * i * i
        taps = (1.0 / total,)
        slopes = (-growth / total / total / (width * width * width),)
        for i in tl.static_range(1, HALF + 1):
            tap = tl.exp(-0.5 * (i / width) * (i / width)) / total
            taps = taps + (tap,)
            slopes = slopes + (tap * (i * i - growth / total) / (width * width * width),)
    return taps, slopes


@triton.jit
def _pixels(row, is_row, w, OFFSET: tl.constexpr, WIDTH: tl.constexpr, ZEROS: tl.constexpr):
    """A row's pixels ``OFFSET`` columns to the right; beyond the frame its border, or zero."""
    column = tl.minimum(tl.maximum(w + OFFSET, 0), WIDTH - 1)
    value = tl.load(row + column).to(tl.float32)
    if ZEROS:
        value = tl.where(is_row & (w + OFFSET == column), value, 0.0)
    return value


@triton.jit
def blur(
    x,
    taps,
    slopes,
    h,
    w,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    WHOLE: tl.constexpr,
):
    """The blurred rows of a strip and their derivatives to sigma.

    The multiply-adds are explicit: all kernels round alike, so a value found to be the least of all
    is recognised again in the backward pass. What a kernel does not use, the compiler leaves out.
    """
    across = ()
    across_by_sigma = ()
    for r in tl.static_range(-HALF, ROWS + HALF):
        if WHOLE and r >= 0 and r < ROWS:
            # Always a row of the frame; its place is part of the instruction that loads it.
            is_row = True
            row = x + h * WIDTH + r * WIDTH
        else:
            inside = tl.minimum(tl.maximum(h + r, 0), HEIGHT - 1)
            is_row = inside == h + r
            row = x + inside * WIDTH
        value = _pixels(row, is_row, w, 0, WIDTH, ZEROS)
        total = value * taps[0]
        by_sigma = value * slopes[0]
        for j in tl.static_range(1, HALF + 1):
            left = _pixels(row, is_row, w, -j, WIDTH, ZEROS)
            pair = left + _pixels(row, is_row, w, j, WIDTH, ZEROS)
            total = tl.fma(pair, taps[j], total)
            by_sigma = tl.fma(pair, slopes[j], by_sigma)
        across = across + (total,)
        across_by_sigma = across_by_sigma + (by_sigma,)
    blurred = ()
    blurred_by_sigma = ()
    for r in tl.static_range(HALF, HALF + ROWS):
        total = across[r] * taps[0]
        by_sigma = tl.fma(across[r], slopes[0], across_by_sigma[r] * taps[0])
        for i in tl.static_range(1, HALF + 1):
            pair = across[r - i] + across[r + i]
            total = tl.fma(pair, taps[i], total)
            by_sigma = tl.fma(pair, slopes[i], by_sigma)
            pair = across_by_sigma[r - i] + across_by_sigma[r + i]
            by_sigma = tl.fma(pair, taps[i], by_sigma)
        blurred = blurred + (total,)
        blurred_by_sigma = blurred_by_sigma + (by_sigma,)
    return blurred, blurred_by_sigma


@triton.jit
def motion_of(now, before, DIFFERENCE: tl.constexpr):
    """The rows as the quantiser meets them."""
    motion = ()
    for r in tl.static_range(ROWS):
        if DIFFERENCE:
            motion = motion + (now[r] - before[r],)
        else:
            motion = motion + (now[r],)
    return motion


# ------------------------------------------------------------------ the staircase
@triton.jit
def units(motion, low, high, eps, K: tl.constexpr, HARD: tl.constexpr):
    """The rows in units of a level.

    Whole levels are rounded as in the plain form, see ``functional.to_levels``: a difference of 0
    may lie on a threshold.
    """
    width = high - low
    span = width + eps
    units = ()
    if HARD:
        middle = 0.5 * (low + high)
        below = tl.div_rn(0.5 * width, span)
        for r in tl.static_range(ROWS):
            units = units + (K * (tl.div_rn(motion[r] - middle, span) + below),)
    else:
        scale = K / span
        shift = -low * scale
        for r in tl.static_range(ROWS):
            units = units + (tl.fma(motion[r], scale, shift),)
    return units


@triton.jit
def none_of(thresholds, K: tl.constexpr):
    """0, or no number where a threshold is none."""
    found = tl.load(thresholds)
    found = tl.where(found == found, 0.0, float('nan'))
    for k in range(1, K):
        b = tl.load(thresholds + k)
        found += tl.where(b == b, 0.0, float('nan'))
    return found


@triton.jit
def keep_none(levels, u):
    """The levels of the rows u, none for what is no number."""
    kept = ()
    for r in tl.static_range(ROWS):
        kept = kept + (tl.where(u[r] == u[r], levels[r], u[r]),)
    return kept


@triton.jit
def read_thresholds(thresholds, first, sharpness, K: tl.constexpr, COUNT: tl.constexpr):
    """``COUNT`` thresholds from ``first`` on, for :func:`_denominators`.

    Returns them, ``-inf`` where there is none; their middle c; ``2^(sharpness (b - c))`` of each;
    what the exponential may be at most in each group of three; whether the thresholds are near
    enough to each other for all this.
    """
    levels = ()
    least = float('inf')
    greatest = float('-inf')
    for k in tl.static_range(COUNT):
        b = tl.load(thresholds + first + k, mask=first + k < K, other=float('-inf'))
        levels = levels + (b,)
        # What is no number must not pass for near.
        least = tl.minimum(least, tl.where(first + k < K, b, least), tl.PropagateNan.ALL)
        greatest = tl.maximum(greatest, b, tl.PropagateNan.ALL)
    middle = 0.5 * (least + greatest)
    near = sharpness * (greatest - middle) <= REACH
    factors = ()
    bounds = ()
    for k in tl.static_range(0, COUNT, 3):
        lowest = float('inf')
        total = 0.0
        size = 0.0
        for i in tl.static_range(3):
            if k + i < COUNT:
                exponent = sharpness * (levels[k + i] - middle)
                factors = factors + (tl.exp2(exponent),)
                exists = first + k + i < K
                lowest = tl.minimum(lowest, tl.where(exists, exponent, lowest))
                total += tl.where(exists, exponent, 0.0)
                size += tl.where(exists, 1.0, 0.0)
        mean = total / tl.maximum(size, 1.0)
        near = near & (mean - lowest <= SPREAD)
        bounds = bounds + (tl.exp2(LARGEST - mean),)
    return levels, middle, factors, bounds, near


@triton.jit
def _decay(u, sharpness, middle):
    """``exp(-H (u - middle))``, finite."""
    exponent = tl.fma(u, -sharpness, sharpness * middle)
    return tl.exp2(tl.minimum(exponent, 126.0, tl.PropagateNan.ALL))


@triton.jit
def _denominators(decay, factors, bounds, k: tl.constexpr, COUNT: tl.constexpr):
    """``1 + exp(-H (u - b))`` of three thresholds from k on; 1 where there is none."""
    bounded = tl.minimum(decay, bounds[k // 3], tl.PropagateNan.ALL)
    found = ()
    for i in tl.static_range(3):
        if k + i < COUNT:
            found = found + (tl.fma(bounded, factors[k + i], 1.0),)
        else:
            found = found + (tl.full(decay.shape, 1.0, tl.float32),)
    return found


@triton.jit
def _reciprocal(x):
    if HAS_RECIPROCAL:
        return tl.inline_asm_elementwise(
            'rcp.approx.ftz.f32 $0, $1;', '=f,f', [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return 1.0 / x


@triton.jit
def sum_of_sigmoids(u, sharpness, middle, factors, bounds, COUNT: tl.constexpr):
    """The sum of ``COUNT`` sigmoids at u."""
    decay = _decay(u, sharpness, middle)
    # Of those that fill up a group of three.
    total = tl.full(u.shape, -(-COUNT % 3), tl.float32)
    for k in tl.static_range(0, COUNT, 3):
        a, b, c = _denominators(decay, factors, bounds, k, COUNT)
        ab = a * b
        total = tl.fma(tl.fma(a + b, c, ab), _reciprocal(ab * c), total)
    return total


@triton.jit
def sigmoids(u, sharpness, middle, factors, COUNT: tl.constexpr):
    """``COUNT`` sigmoids at u."""
    decay = _decay(u, sharpness, middle)
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (_reciprocal(tl.fma(decay, factors[k], 1.0)),)
    return found


@triton.jit
def sigmoids_apart(u, hardness, levels, COUNT: tl.constexpr):
    """``COUNT`` sigmoids at u whose thresholds are too far apart for a common exponential."""
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (tl.sigmoid(hardness * (u - levels[k])),)
    return found


@triton.jit
def count_levels(
    u, thresholds, first, hardness, K: tl.constexpr, COUNT: tl.constexpr, HARD: tl.constexpr
):
    """For the rows u: how many of ``COUNT`` thresholds lie below, counted whole or as sigmoids."""
    levels = zeros(u[0], ROWS)
    for k in range(COUNT):
        b = tl.load(thresholds + first + k, mask=first + k < K, other=float('inf'))
        counted = ()
        for r in tl.static_range(ROWS):
            if HARD:
                step = tl.where(u[r] > b, 1.0, 0.0)
            else:
                step = tl.sigmoid(hardness * (u[r] - b))
            counted = counted + (levels[r] + step,)
        levels = counted
    return levels


# ------------------------------------------------------------------ strips
@triton.jit
def zeros(like, COUNT: tl.constexpr):
    """``COUNT`` times zero for each element of ``like``."""
    found = ()
    for _ in tl.static_range(COUNT):
        found = found + (tl.zeros(like.shape, tl.float32),)
    return found


@triton.jit
def place():
    """The first row of a program's strip, and its columns."""
    return tl.program_id(1) * ROWS, tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)


@triton.jit
def number_of_program():
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    return (program * tl.num_programs(2) + tl.program_id(2)).to(tl.int64)
