"""The encoder on a GPU by Triton's kernels, keeping only its input for the backward pass.

A range that is read off the data costs one more pass over the input.

Tested in Triton's interpreter against the plain form. Not measured on a GPU yet.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from ....camera_form import CameraForm
from ..gradients import Sums, gradients
from ..operation import Operation
from .kernels import (
    EXTRA_SUMS,
    backward_kernel,
    codes_kernel,
    forward_kernel,
    range_kernel,
)
from .parts import CHUNK, COLUMNS, INTERPRETED, ROWS


def encode(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    op: Operation,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blur, difference and quantiser, differentiable once to sigma and the thresholds.

    Arguments and results are those of :func:`..plain.encode`, on a CUDA device.

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
    return _Encode.apply(x_NCTHW.contiguous(), sigma, thresholds_K, low, high, hardness, op)


def integer_codes(frames_NCTHW: Tensor, form: CameraForm) -> Tensor:
    """Levels of uint8 frames, those of :func:`.integer.integer_codes` bit for bit.

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
    codes_kernel[grid](frames, codes, kernel, thresholds, K=len(form.thresholds), **constants)
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
        op: Operation,
    ) -> tuple[Tensor, Tensor, Tensor]:
        half = 0 if sigma is None else op.kernel_size // 2
        grid, constants = _launch(x, half, op.zeros, op.difference)
        width = _number(sigma, x)
        if op.range == 'fixed':
            # The buffers may change before the backward pass.
            low, high = (end.detach().to(x).reshape(1).clone() for end in (low, high))
        else:
            ends = x.new_empty((x.shape[0], grid[1] * grid[2] * x.shape[1], 2))
            range_kernel[grid](x, width, ends, **constants)
            axes = 1 if op.range == 'clip' else (0, 1)
            low, high = ends[..., 0].amin(axes).view(-1), ends[..., 1].amax(axes).view(-1)
        thresholds = thresholds.detach().to(x).contiguous()
        hardness = hardness.detach().to(x).clone()
        y = x.new_empty((*x.shape[:2], x.shape[2] - op.difference, *x.shape[3:]))
        one_by_one = op.hard or thresholds.numel() > CHUNK.value
        for near in (False,) if one_by_one else (True, False):
            forward_kernel[grid](
                x,
                y,
                width,
                thresholds,
                low,
                high,
                hardness,
                op.eps,
                grid[0] // len(low),
                NEAR=near,
                K=thresholds.numel(),
                HARD=op.hard,
                **constants,
            )
        ctx.op = op
        ctx.save_for_backward(x, sigma, thresholds, low, high, hardness)
        ctx.mark_non_differentiable(low, high)
        return y, low, high

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, sigma, thresholds, low, high, hardness = ctx.saved_tensors
        op, count = ctx.op, thresholds.numel()
        half = 0 if sigma is None else op.kernel_size // 2
        (planes, *strips), constants = _launch(x, half, op.zeros, op.difference)
        chunks, held = triton.cdiv(count, CHUNK.value), min(count, CHUNK.value)
        sums = x.new_empty((planes, chunks, strips[0] * strips[1], held + EXTRA_SUMS.value))
        g, width = g.contiguous(), _number(sigma, x)
        for near in (True, False):
            backward_kernel[(planes * chunks, *strips)](
                x,
                g,
                sums,
                width,
                thresholds,
                low,
                high,
                hardness,
                op.eps,
                planes // len(low),
                chunks,
                NEAR=near,
                K=count,
                COUNT=held,
                HARD=op.hard,
                ENDS=op.range != 'fixed',
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
        step = ((high - low) / count).clamp(min=op.eps)
        g_sigma = None
        if ctx.needs_input_grad[1]:
            g_sigma = (step * count / (high - low + op.eps) * by_sigma).sum()
        if op.range == 'fixed':
            g_thresholds = (step[:, None] * by_threshold).sum(0)
        else:
            total = Sums(one, value, slope, slope_u, by_threshold)
            g_thresholds, g_low, g_high = gradients(total, low, high, op.eps)
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
