# Triton unpacks no tuple into another, chooses no tensor by an expression, and carries a name
# through a loop only if its type stays: hence
# ruff: noqa: RUF005, RUF059, SIM108
"""The encoder on a GPU in one pass each way, keeping only its input for the backward pass.

A program is a warp with a strip of one channel, ``ROWS`` rows and a column a thread. It takes the
strip through all frames of a clip; the blurred frame before stays in its registers. Forward it
reads a value once (its neighbours come from the cache) and writes one; backward it reads the value
and the incoming gradient, computes blur, difference and sigmoids again, adds up over rows and
frames in registers, and at the end writes a handful of sums, which torch adds up: no atomic
addition, so results repeat. A range that is read off the data costs one more pass over the input.

Exponentials and divisions are what a GPU is slowest at. ``exp(-H (u - b))`` of all thresholds b
comes from one exponential, times a factor that does not depend on u, and forward three sigmoids
share a division (:func:`_denominators`). Where the thresholds are too far from each other for that,
a second form of the kernel does the work; only the GPU knows which, so both are launched, and one
returns at once. ``python -m benchmarks.run kernels`` counts the instructions.

Tested in Triton's interpreter against the plain form. Not measured on a GPU yet.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..camera_form import CameraForm
from .form import Form
from .staircase import Sums, gradients

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
# What a warp holds in its registers: rows of its strip, and sums of as many thresholds. More
# thresholds are shared out among more programs.
ROWS, COLUMNS, CHUNK = tl.constexpr(8), tl.constexpr(32), tl.constexpr(15)
# Sums of a program of the backward pass besides those of the thresholds.
EXTRA_SUMS = tl.constexpr(9)
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
def _kernel(sigma, HALF: tl.constexpr):
    """The blur's taps from the middle outwards and their derivatives to sigma, as in form.py."""
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
def _blur(
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
def _motion(now, before, DIFFERENCE: tl.constexpr):
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
def _units(motion, low, span, K: tl.constexpr, HARD: tl.constexpr):
    """The rows in units of a level.

    Whole levels are rounded as in the plain form: a difference of 0 may lie on a threshold.
    """
    scale = K / span
    shift = -low * scale
    units = ()
    for r in tl.static_range(ROWS):
        if HARD:
            units = units + (tl.div_rn(K * (motion[r] - low), span),)
        else:
            units = units + (tl.fma(motion[r], scale, shift),)
    return units


@triton.jit
def _thresholds(thresholds, first, sharpness, K: tl.constexpr, COUNT: tl.constexpr):
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
def _sum_of_sigmoids(u, sharpness, middle, factors, bounds, COUNT: tl.constexpr):
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
def _sigmoids(u, sharpness, middle, factors, COUNT: tl.constexpr):
    """``COUNT`` sigmoids at u."""
    decay = _decay(u, sharpness, middle)
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (_reciprocal(tl.fma(decay, factors[k], 1.0)),)
    return found


@triton.jit
def _sigmoids_apart(u, hardness, levels, COUNT: tl.constexpr):
    """``COUNT`` sigmoids at u whose thresholds are too far apart for a common exponential."""
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (tl.sigmoid(hardness * (u - levels[k])),)
    return found


@triton.jit
def _count_levels(
    u, thresholds, first, hardness, K: tl.constexpr, COUNT: tl.constexpr, HARD: tl.constexpr
):
    """For the rows u: how many of ``COUNT`` thresholds lie below, counted whole or as sigmoids."""
    levels = _zeros(u[0], ROWS)
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
def _zeros(like, COUNT: tl.constexpr):
    zeros = ()
    for _ in tl.static_range(COUNT):
        zeros = zeros + (tl.zeros(like.shape, tl.float32),)
    return zeros


@triton.jit
def _place():
    """The first row of a program's strip, and its columns."""
    return tl.program_id(1) * ROWS, tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)


@triton.jit
def _number_of_program():
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    return (program * tl.num_programs(2) + tl.program_id(2)).to(tl.int64)


@triton.jit
def _range_kernel(
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
    h, w = _place()
    taps, slopes = _kernel(sigma, HALF)
    x += tl.program_id(0).to(tl.int64) * FRAMES * HEIGHT * WIDTH
    least = tl.full((COLUMNS,), float('inf'), tl.float32)
    greatest = tl.full((COLUMNS,), float('-inf'), tl.float32)
    before = _zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = _blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            motion = _motion(now, before, DIFFERENCE)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                least = tl.minimum(least, tl.where(valid, motion[r], float('inf')))
                greatest = tl.maximum(greatest, tl.where(valid, motion[r], float('-inf')))
        before = now
        x += HEIGHT * WIDTH
    ends += 2 * _number_of_program()
    tl.store(ends, tl.min(least))
    tl.store(ends + 1, tl.max(greatest))


@triton.jit
def _forward_kernel(
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
        each, middle, factors, bounds, near = _thresholds(thresholds, 0, sharpness, K, K)
        if near != NEAR:
            return
    h, w = _place()
    plane = tl.program_id(0).to(tl.int64)
    low = tl.load(lows + plane // planes_a_range)
    high = tl.load(highs + plane // planes_a_range)
    span, step = high - low + eps, tl.maximum((high - low) / K, eps)
    taps, slopes = _kernel(sigma, HALF)
    x += plane * FRAMES * HEIGHT * WIDTH
    y += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    before = _zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = _blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            u = _units(_motion(now, before, DIFFERENCE), low, span, K, HARD)
            if NEAR:
                levels = ()
                for r in tl.static_range(ROWS):
                    total = _sum_of_sigmoids(u[r], sharpness, middle, factors, bounds, K)
                    levels = levels + (total,)
            else:
                levels = _count_levels(u, thresholds, 0, hardness, K, K, HARD)
            for r in tl.static_range(ROWS):
                value = tl.fma(levels[r], step, low)
                valid = (w < WIDTH) & (h + r < HEIGHT)
                tl.store(y + (h * WIDTH + w) + r * WIDTH, value, mask=valid)
            y += HEIGHT * WIDTH
        before = now
        x += HEIGHT * WIDTH


@triton.jit
def _codes_kernel(
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
    h, w = _place()
    plane = tl.program_id(0).to(tl.int64)
    taps = ()
    slopes = ()
    for i in tl.static_range(HALF + 1):
        taps = taps + (tl.load(kernel + HALF + i),)
        slopes = slopes + (0.0,)
    frames += plane * FRAMES * HEIGHT * WIDTH
    codes += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    before = _zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = _blur(frames, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            values = _motion(now, before, DIFFERENCE)
            levels = _count_levels(values, thresholds, 0, 1.0, K, K, True)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                tl.store(codes + (h * WIDTH + w) + r * WIDTH, levels[r].to(tl.uint8), mask=valid)
            codes += HEIGHT * WIDTH
        before = now
        frames += HEIGHT * WIDTH


@triton.jit
def _backward_kernel(
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
    each, middle, factors, bounds, near = _thresholds(thresholds, first, sharpness, K, COUNT)
    if near != NEAR:
        return
    h, w = _place()
    plane = (tl.program_id(0) // chunks).to(tl.int64)
    low = tl.load(lows + plane // planes_a_range)
    high = tl.load(highs + plane // planes_a_range)
    taps, slopes = _kernel(sigma, HALF)
    x += plane * FRAMES * HEIGHT * WIDTH
    g += plane * (FRAMES - DIFFERENCE) * HEIGHT * WIDTH
    by_threshold = _zeros(w, COUNT)
    one, value, slope, slope_u, slope_sigma = _zeros(w, 5)
    low_count, low_slope, high_count, high_slope = _zeros(w, 4)
    # Where there is no threshold, the sigmoid is 1.
    missing = tl.maximum(first + COUNT - K, 0).to(tl.float32)
    before = _zeros(w, ROWS)
    before_by_sigma = _zeros(w, ROWS)
    for t in range(FRAMES):
        now, now_by_sigma = _blur(x, taps, slopes, h, w, HEIGHT, WIDTH, HALF, ZEROS, WHOLE)
        if (not DIFFERENCE) or t > 0:
            motion = _motion(now, before, DIFFERENCE)
            by_sigma = _motion(now_by_sigma, before_by_sigma, DIFFERENCE)
            u = _units(motion, low, high - low + eps, K, HARD)
            if ENDS and HARD:
                whole = _count_levels(u, thresholds, first, hardness, K, COUNT, HARD)
            for r in tl.static_range(ROWS):
                valid = (w < WIDTH) & (h + r < HEIGHT)
                g_row = tl.load(g + (h * WIDTH + w) + r * WIDTH, mask=valid, other=0.0)
                if NEAR:
                    s = _sigmoids(u[r], sharpness, middle, factors, COUNT)
                else:
                    s = _sigmoids_apart(u[r], hardness, each, COUNT)
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
    sums += _number_of_program() * (COUNT + EXTRA_SUMS)
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


# ------------------------------------------------------------------ torch
def encode(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    form: Form,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blur, difference and quantiser, differentiable once to sigma and the thresholds.

    Arguments and results are those of :func:`bdq_plugin.encoders.lean.encode`, on a CUDA device.

    Raises:
        ValueError: another device or dtype, or an input that needs gradient.
    """
    needs_gradient = x_NCTHW.requires_grad and torch.is_grad_enabled()
    if not (x_NCTHW.is_cuda or INTERPRETED) or x_NCTHW.dtype != torch.float32 or needs_gradient:
        raise ValueError(
            "backend='triton' takes float32 clips on a CUDA device that need no gradient "
            f'themselves, got {x_NCTHW.dtype} on {x_NCTHW.device}, requires_grad='
            f"{x_NCTHW.requires_grad}: use backend='auto'"
        )
    return _Encode.apply(x_NCTHW.contiguous(), sigma, thresholds_K, low, high, hardness, form)


def integer_codes(frames_NCTHW: Tensor, form: CameraForm) -> Tensor:
    """Levels of uint8 frames, those of :meth:`bdq_plugin.encoders.IntegerForm.codes` bit for bit.

    Args:
        frames_NCTHW: uint8 frames (N, C, T, H, W) on a CUDA device.
        form: the encoder in whole numbers; its dither is left out.

    Returns:
        uint8 levels (N, C, T or T - 1, H, W).
    """
    frames = frames_NCTHW.contiguous()
    kernel, thresholds = (
        torch.tensor(numbers, dtype=torch.float32, device=frames.device)
        for numbers in (form.kernel, form.thresholds)
    )
    zeros = form.padding == 'zeros'
    grid, constants = _launch(frames, len(form.kernel) // 2, zeros, form.difference)
    clips, channels, count, height, width = frames.shape
    codes = frames.new_empty((clips, channels, count - form.difference, height, width))
    _codes_kernel[grid](frames, codes, kernel, thresholds, K=len(form.thresholds), **constants)
    return codes


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        sigma: Tensor | None,
        thresholds: Tensor,
        low: Tensor,
        high: Tensor,
        hardness: Tensor,
        form: Form,
    ) -> tuple[Tensor, Tensor, Tensor]:
        half = 0 if sigma is None else form.kernel_size // 2
        grid, constants = _launch(x, half, form.zeros, form.difference)
        if form.range == 'fixed':
            # The buffers may change before the backward pass.
            low, high = (end.detach().to(x).reshape(1).clone() for end in (low, high))
        else:
            ends = x.new_empty((x.shape[0], grid[1] * grid[2] * x.shape[1], 2))
            _range_kernel[grid](x, _number(sigma, x), ends, **constants)
            axes = 1 if form.range == 'clip' else (0, 1)
            low, high = ends[..., 0].amin(axes).view(-1), ends[..., 1].amax(axes).view(-1)
        thresholds = thresholds.detach().to(x).contiguous()
        hardness = hardness.detach().to(x).clone()
        y = x.new_empty((*x.shape[:2], x.shape[2] - form.difference, *x.shape[3:]))
        one_by_one = form.hard or thresholds.numel() > CHUNK.value
        for near in (False,) if one_by_one else (True, False):
            _forward_kernel[grid](
                x,
                y,
                _number(sigma, x),
                thresholds,
                low,
                high,
                hardness,
                form.eps,
                grid[0] // len(low),
                NEAR=near,
                K=thresholds.numel(),
                HARD=form.hard,
                **constants,
            )
        ctx.form = form
        ctx.save_for_backward(x, sigma, thresholds, low, high, hardness)
        ctx.mark_non_differentiable(low, high)
        return y, low, high

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, sigma, thresholds, low, high, hardness = ctx.saved_tensors
        form, count = ctx.form, thresholds.numel()
        half = 0 if sigma is None else form.kernel_size // 2
        (planes, *strips), constants = _launch(x, half, form.zeros, form.difference)
        chunks, held = triton.cdiv(count, CHUNK.value), min(count, CHUNK.value)
        sums = x.new_empty((planes, chunks, strips[0] * strips[1], held + EXTRA_SUMS.value))
        for near in (True, False):
            _backward_kernel[(planes * chunks, *strips)](
                x,
                g.contiguous(),
                sums,
                _number(sigma, x),
                thresholds,
                low,
                high,
                hardness,
                form.eps,
                planes // len(low),
                chunks,
                NEAR=near,
                K=count,
                COUNT=held,
                HARD=form.hard,
                ENDS=form.range != 'fixed',
                SIGMA=ctx.needs_input_grad[1],
                **constants,
            )
        # Of each range and chunk of thresholds.
        sums = sums.view(len(low), -1, *sums.shape[1:]).sum((1, 3), dtype=torch.float64)
        by_threshold = sums[..., :held].flatten(1)[:, :count]
        value, slope, slope_u, by_sigma = sums[..., held + 1 : held + 5].sum(1).unbind(1)
        # What does not depend on thresholds, every chunk has found.
        one = sums[:, 0, held]
        low_count, low_slope, high_count, high_slope = sums[:, 0, held + 5 :].unbind(1)
        step = ((high - low) / count).clamp(min=form.eps)
        g_sigma = None
        if ctx.needs_input_grad[1]:
            g_sigma = (step * count / (high - low + form.eps) * by_sigma).sum()
        if form.range == 'fixed':
            g_thresholds = (step[:, None] * by_threshold).sum(0)
        else:
            total = Sums(one, value, slope, slope_u, by_threshold)
            g_thresholds, g_low, g_high = gradients(total, low, high, form.eps)
            if g_sigma is not None:
                # All values that attain an end share its gradient, as in torch.amin and amax.
                g_sigma += (g_low * low_slope / low_count + g_high * high_slope / high_count).sum()
        if g_sigma is not None:
            g_sigma = g_sigma.to(sigma)
        return None, g_sigma, g_thresholds.to(thresholds), None, None, None, None


def _number(sigma: Tensor | None, x: Tensor) -> Tensor:
    """Sigma as the kernels read it; without a blur they do not."""
    return x if sigma is None else sigma.detach().to(x)


def _launch(
    x: Tensor, half: int, zeros: bool, difference: bool
) -> tuple[tuple[int, int, int], dict[str, Any]]:
    """Grid and the constants that kernels share."""
    clips, channels, frames, height, width = x.shape
    grid = clips * channels, triton.cdiv(height, ROWS.value), triton.cdiv(width, COLUMNS.value)
    constants = dict(
        FRAMES=frames,
        HEIGHT=height,
        WIDTH=width,
        DIFFERENCE=difference,
        HALF=half,
        ZEROS=zeros,
        WHOLE=height % ROWS.value == 0,
        num_warps=1,
    )
    return grid, constants
