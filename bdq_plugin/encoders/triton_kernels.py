"""The encoder on a GPU in one pass each way, keeping only its input for the backward pass.

A program takes a tile of one channel through all frames of a clip; the blurred frame before stays
in its registers. Forward it reads a value once (its neighbours come from the cache) and writes one;
backward it reads the value and the incoming gradient, computes blur, difference and sigmoids again,
adds up over the frames in registers, a sum for each pixel, and at the end writes a handful of sums,
which torch adds up: no atomic addition, so results repeat. A range that is read off the data costs
one more pass over the input.

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

from .form import Form, kernel_and_slope
from .staircase import Sums, gradients

# Pixels of a tile, and sums that a program may hold in registers: one a threshold and pixel.
TILE, SUMS = 512, 4096
# Sums of a program besides those of the thresholds.
EXTRA_SUMS = tl.constexpr(9)


# ------------------------------------------------------------------ parts of a kernel
@triton.jit
def _tile(TILE: tl.constexpr, TILE_W: tl.constexpr):
    """Row and column of each pixel of a tile."""
    pixel = tl.arange(0, TILE)
    h = tl.program_id(1) * (TILE // TILE_W) + pixel // TILE_W
    w = tl.program_id(2) * TILE_W + pixel % TILE_W
    return h, w


@triton.jit
def _blur(x, taps, slopes, h, w, height, width, HALF: tl.constexpr, ZEROS: tl.constexpr):
    """A blurred tile and its derivative to sigma.

    The multiply-adds are explicit: all kernels round alike, so a value found to be the least of all
    is recognised again in the backward pass. What a kernel does not use, the compiler leaves out.
    """
    total = tl.zeros(h.shape, tl.float32)
    by_sigma = tl.zeros(h.shape, tl.float32)
    for i in tl.static_range(2 * HALF + 1):
        source_h = h + (i - HALF)
        inside_h = tl.minimum(tl.maximum(source_h, 0), height - 1)
        row = tl.zeros(h.shape, tl.float32)
        row_by_sigma = tl.zeros(h.shape, tl.float32)
        for j in tl.static_range(2 * HALF + 1):
            source_w = w + (j - HALF)
            inside_w = tl.minimum(tl.maximum(source_w, 0), width - 1)
            value = tl.load(x + inside_h * width + inside_w)
            if ZEROS:
                inside = (source_h == inside_h) & (source_w == inside_w)
                value = tl.where(inside, value, 0.0)
            row = tl.fma(tl.load(taps + j), value, row)
            row_by_sigma = tl.fma(tl.load(slopes + j), value, row_by_sigma)
        total = tl.fma(tl.load(taps + i), row, total)
        by_sigma = tl.fma(tl.load(slopes + i), row, by_sigma)
        by_sigma = tl.fma(tl.load(taps + i), row_by_sigma, by_sigma)
    return total, by_sigma


# ------------------------------------------------------------------ kernels
@triton.jit
def _range_kernel(
    x,
    taps,
    slopes,
    ends,
    height,
    width,
    FRAMES: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    TILE: tl.constexpr,
    TILE_W: tl.constexpr,
):
    h, w = _tile(TILE, TILE_W)
    valid = (h < height) & (w < width)
    x += tl.program_id(0).to(tl.int64) * FRAMES * height * width
    least = tl.full((TILE,), float('inf'), tl.float32)
    greatest = tl.full((TILE,), float('-inf'), tl.float32)
    before = tl.zeros((TILE,), tl.float32)
    for t in range(FRAMES):
        now, _ = _blur(x, taps, slopes, h, w, height, width, HALF, ZEROS)
        if (not DIFFERENCE) or t > 0:
            motion = now - before
            least = tl.minimum(least, tl.where(valid, motion, float('inf')))
            greatest = tl.maximum(greatest, tl.where(valid, motion, float('-inf')))
        if DIFFERENCE:
            before = now
        x += height * width
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    program = program * tl.num_programs(2) + tl.program_id(2)
    tl.store(ends + 2 * program, tl.min(least))
    tl.store(ends + 2 * program + 1, tl.max(greatest))


@triton.jit
def _forward_kernel(
    x,
    y,
    taps,
    slopes,
    thresholds,
    lows,
    spans,
    steps,
    hardness,
    height,
    width,
    planes_a_range,
    K: tl.constexpr,
    HARD: tl.constexpr,
    FRAMES: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    TILE: tl.constexpr,
    TILE_W: tl.constexpr,
):
    h, w = _tile(TILE, TILE_W)
    valid = (h < height) & (w < width)
    plane = tl.program_id(0).to(tl.int64)
    group = plane // planes_a_range
    low, span, step = tl.load(lows + group), tl.load(spans + group), tl.load(steps + group)
    steepness = tl.load(hardness)
    x += plane * FRAMES * height * width
    y += plane * (FRAMES - DIFFERENCE) * height * width
    before = tl.zeros((TILE,), tl.float32)
    for t in range(FRAMES):
        now, _ = _blur(x, taps, slopes, h, w, height, width, HALF, ZEROS)
        if (not DIFFERENCE) or t > 0:
            u = K * (now - before - low) / span
            levels = tl.zeros((TILE,), tl.float32)
            for k in range(K):
                threshold = tl.load(thresholds + k)
                if HARD:
                    levels += tl.where(u > threshold, 1.0, 0.0)
                else:
                    levels += tl.sigmoid(steepness * (u - threshold))
            tl.store(y + h * width + w, low + levels * step, mask=valid)
            y += height * width
        if DIFFERENCE:
            before = now
        x += height * width


@triton.jit
def _backward_kernel(
    x,
    g,
    sums,
    taps,
    slopes,
    thresholds,
    lows,
    highs,
    spans,
    hardness,
    height,
    width,
    planes_a_range,
    K: tl.constexpr,
    K_PADDED: tl.constexpr,
    HARD: tl.constexpr,
    ENDS: tl.constexpr,
    FRAMES: tl.constexpr,
    DIFFERENCE: tl.constexpr,
    HALF: tl.constexpr,
    ZEROS: tl.constexpr,
    TILE: tl.constexpr,
    TILE_W: tl.constexpr,
):
    h, w = _tile(TILE, TILE_W)
    valid = (h < height) & (w < width)
    plane = tl.program_id(0).to(tl.int64)
    group = plane // planes_a_range
    low, high, span = tl.load(lows + group), tl.load(highs + group), tl.load(spans + group)
    steepness = tl.load(hardness)
    x += plane * FRAMES * height * width
    g += plane * (FRAMES - DIFFERENCE) * height * width
    before = tl.zeros((TILE,), tl.float32)
    before_by_sigma = tl.zeros((TILE,), tl.float32)
    ks = tl.arange(0, K_PADDED)
    is_level = (ks < K)[:, None]
    levels = tl.load(thresholds + ks, mask=ks < K, other=0.0)[:, None]
    by_threshold = tl.zeros((K_PADDED, TILE), tl.float32)
    one = tl.zeros((TILE,), tl.float32)
    value = tl.zeros((TILE,), tl.float32)
    slope = tl.zeros((TILE,), tl.float32)
    slope_u = tl.zeros((TILE,), tl.float32)
    slope_sigma = tl.zeros((TILE,), tl.float32)
    low_count = tl.zeros((TILE,), tl.float32)
    low_slope = tl.zeros((TILE,), tl.float32)
    high_count = tl.zeros((TILE,), tl.float32)
    high_slope = tl.zeros((TILE,), tl.float32)
    for t in range(FRAMES):
        now, now_by_sigma = _blur(x, taps, slopes, h, w, height, width, HALF, ZEROS)
        if (not DIFFERENCE) or t > 0:
            motion = now - before
            by_sigma = now_by_sigma - before_by_sigma
            g_tile = tl.load(g + h * width + w, mask=valid, other=0.0)
            u = K * (motion - low) / span
            s = tl.where(is_level, tl.sigmoid(steepness * (u[None, :] - levels)), 0.0)
            p = s * (1 - s)
            by_threshold += g_tile[None, :] * p
            rise = g_tile * tl.sum(p, 0)
            one += g_tile
            slope += rise
            slope_u += rise * u
            slope_sigma += rise * by_sigma
            if ENDS:
                if HARD:
                    value += g_tile * tl.sum(
                        tl.where(is_level & (u[None, :] > levels), 1.0, 0.0), 0
                    )
                else:
                    value += g_tile * tl.sum(s, 0)
                at_low = tl.where(valid & (motion == low), 1.0, 0.0)
                at_high = tl.where(valid & (motion == high), 1.0, 0.0)
                low_count += at_low
                low_slope += at_low * by_sigma
                high_count += at_high
                high_slope += at_high * by_sigma
            g += height * width
        if DIFFERENCE:
            before = now
            before_by_sigma = now_by_sigma
        x += height * width
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    program = program * tl.num_programs(2) + tl.program_id(2)
    sums += program.to(tl.int64) * (K + EXTRA_SUMS)
    tl.store(sums + ks, -steepness * tl.sum(by_threshold, 1), mask=ks < K)
    sums += K
    tl.store(sums, tl.sum(one))
    tl.store(sums + 1, tl.sum(value))
    tl.store(sums + 2, steepness * tl.sum(slope))
    tl.store(sums + 3, steepness * tl.sum(slope_u))
    tl.store(sums + 4, steepness * tl.sum(slope_sigma))
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
    interpreted = os.environ.get('TRITON_INTERPRET') == '1'
    if not (x_NCTHW.is_cuda or interpreted) or x_NCTHW.dtype != torch.float32 or needs_gradient:
        raise ValueError(
            "backend='triton' takes float32 clips on a CUDA device that need no gradient "
            f'themselves, got {x_NCTHW.dtype} on {x_NCTHW.device}, requires_grad='
            f"{x_NCTHW.requires_grad}: use backend='auto'"
        )
    return _Encode.apply(x_NCTHW.contiguous(), sigma, thresholds_K, low, high, hardness, form)


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
        taps, slopes = (k.to(x.device) for k in kernel_and_slope(sigma, form))
        grid, sizes, constants = _launch(x, taps, form)
        if form.range == 'fixed':
            # The buffers may change before the backward pass.
            low, high = (end.detach().to(x).reshape(1).clone() for end in (low, high))
        else:
            ends = x.new_empty((x.shape[0], grid[1] * grid[2] * grid[0] // x.shape[0], 2))
            _range_kernel[grid](x, taps, slopes, ends, *sizes, **constants)
            axes = 1 if form.range == 'clip' else (0, 1)
            low, high = ends[..., 0].amin(axes).view(-1), ends[..., 1].amax(axes).view(-1)
        thresholds = thresholds.detach().to(x).contiguous()
        span = high - low + form.eps
        step = ((high - low) / thresholds.numel()).clamp(min=form.eps)
        hardness = hardness.detach().to(x).reshape(1).clone()
        y = x.new_empty((*x.shape[:2], x.shape[2] - form.difference, *x.shape[3:]))
        _forward_kernel[grid](
            x,
            y,
            taps,
            slopes,
            thresholds,
            low,
            span,
            step,
            hardness,
            *sizes,
            grid[0] // len(low),
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
        taps, slopes = (k.to(x.device) for k in kernel_and_slope(sigma, form))
        padded = triton.next_power_of_2(count)
        grid, sizes, constants = _launch(x, taps, form, min(TILE, SUMS // padded))
        span = high - low + form.eps
        programs = grid[0] * grid[1] * grid[2]
        sums = x.new_empty((programs, count + EXTRA_SUMS.value))
        _backward_kernel[grid](
            x,
            g.contiguous(),
            sums,
            taps,
            slopes,
            thresholds,
            low,
            high,
            span,
            hardness,
            *sizes,
            grid[0] // len(low),
            K=count,
            K_PADDED=padded,
            HARD=form.hard,
            ENDS=form.range != 'fixed',
            **constants,
        )
        sums = sums.view(len(low), -1, sums.shape[1]).sum(1, dtype=torch.float64)
        one, value, slope, slope_u, by_sigma, *ties = sums[:, count:].unbind(1)
        total = Sums(one, value, slope, slope_u, sums[:, :count])
        g_thresholds, g_low, g_high = gradients(total, low, high, form.eps)
        g_sigma = None
        if ctx.needs_input_grad[1]:
            step = ((high - low) / count).clamp(min=form.eps)
            g_sigma = (step * count / span * by_sigma).sum()
            if form.range != 'fixed':
                low_count, low_slope, high_count, high_slope = ties
                # All values that attain an end share its gradient, as in torch.amin and amax.
                g_sigma += (g_low * low_slope / low_count + g_high * high_slope / high_count).sum()
            g_sigma = g_sigma.to(sigma)
        return None, g_sigma, g_thresholds.to(thresholds), None, None, None, None


def _launch(
    x: Tensor, taps: Tensor, form: Form, tile: int = TILE
) -> tuple[tuple[int, int, int], tuple[int, int], dict[str, Any]]:
    """Grid, size of a frame, and the constants that kernels share."""
    clips, channels, frames, height, width = x.shape
    tile_w = min(64, tile)
    grid = clips * channels, triton.cdiv(height, tile // tile_w), triton.cdiv(width, tile_w)
    constants = dict(
        FRAMES=frames,
        DIFFERENCE=form.difference,
        HALF=taps.numel() // 2,
        ZEROS=form.zeros,
        TILE=tile,
        TILE_W=tile_w,
    )
    return grid, (height, width), constants
