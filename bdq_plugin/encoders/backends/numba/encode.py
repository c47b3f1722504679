"""The encoder on the CPU in one pass each way, keeping nothing but its input for the backward pass.

::

    forward    x --B--> --D--> look-up in the staircase's table --> y
    backward   x --B--> --D--> node in the table --> moments of g --> thresholds, range
                 and their derivative to sigma, in forward mode   --> sigma

What autograd would store of the plain form (a blurred clip, a difference, K sigmoids) is computed
again, frame by frame, in :mod:`.kernels`. Sigma is one number, so its
gradient is taken in forward mode, which stores nothing either.

Hard output is bit for bit that of the plain form; soft output and gradients differ in rounding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..gradients import gradients
from ..operation import Operation, kernel_and_slope
from . import kernels
from .table import StaircaseTable

Result = TypeVar('Result')


def encode(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    op: Operation,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blur, difference and quantiser of a clip, differentiable once to sigma and the thresholds.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), float32, on the CPU, without gradient.
        sigma: of the blur, in pixels, shape (); None for no blur.
        thresholds_K: shape (K,), in units of a level.
        low, high: the fixed range, shape (), constants; unused for other ranges.
        hardness: slope of the sigmoids, shape (), a constant.
        op: what is computed.

    Returns:
        The encoded clip (N, C, T or T - 1, H, W), and the low and high ends of its range, of shape
        (N,) for ``range='clip'``, else (1,), without gradient of their own.

    Raises:
        ValueError: another device or dtype, an input that needs gradient, or thresholds so far
            apart, or sigmoids so steep, that no table holds them.
    """
    needs_gradient = x_NCTHW.requires_grad and torch.is_grad_enabled()
    if x_NCTHW.device.type != 'cpu' or x_NCTHW.dtype != torch.float32 or needs_gradient:
        raise ValueError(
            "backend='numba' takes float32 clips on the CPU that need no gradient themselves, got "
            f'{x_NCTHW.dtype} on {x_NCTHW.device}, requires_grad={x_NCTHW.requires_grad}: use '
            "backend='auto'"
        )
    return _Encode.apply(x_NCTHW, sigma, thresholds_K, low, high, hardness, op)


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
        table = StaircaseTable(thresholds, hardness.item())
        y = x.new_empty((*x.shape[:2], x.shape[2] - op.difference, *x.shape[3:]))
        x_planes, y_planes = _planes(x), _planes(y)
        taps, _ = kernel_and_slope(sigma, op)

        def store(plane: int) -> tuple[np.float32, np.float32]:
            motion = y_planes[plane]
            kernels.store_motion(x_planes[plane], taps.numpy(), op.zeros, op.difference, motion)
            return motion.min(), motion.max()

        ends = _each(store, len(x_planes))
        low, high = _range(low, high, ends, len(x), op)
        quantiser = _Quantiser(table, thresholds, low, high, op, x.shape[1])
        _each(lambda plane: quantiser(plane, y_planes[plane]), len(y_planes))
        ctx.op, ctx.table = op, table
        ctx.save_for_backward(x, sigma, thresholds, low, high)
        ctx.mark_non_differentiable(low, high)
        return y, low, high

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, sigma, thresholds, low, high = ctx.saved_tensors
        op = ctx.op
        needs_sigma = ctx.needs_input_grad[1]
        quantiser = _Quantiser(ctx.table, thresholds, low, high, op, x.shape[1])
        taps = [k.numpy() for k in kernel_and_slope(sigma, op)]
        x_planes = _planes(x)
        g_planes = [g[n, c] for n in range(len(g)) for c in range(g.shape[1])]

        def sum_up(plane: int) -> tuple[np.ndarray, np.ndarray]:
            g_plane = g_planes[plane].contiguous().numpy()
            return quantiser.backward(plane, x_planes[plane], g_plane, taps, needs_sigma)

        moments = np.zeros((len(low), kernels.MOMENTS, ctx.table.size))
        totals = np.zeros((len(low), 6))
        for plane, (by_node, total) in enumerate(_each(sum_up, len(x_planes))):
            moments[quantiser.group(plane)] += by_node
            totals[quantiser.group(plane)] += total
        by_sigma, hard_value, *ties = torch.from_numpy(totals).unbind(1)
        sums = ctx.table.sums(moments)
        if op.hard:
            sums = dataclasses.replace(sums, value=hard_value)
        g_thresholds, g_low, g_high = gradients(sums, low, high, op.eps)
        g_sigma = None
        if needs_sigma:
            g_sigma = (quantiser.slope_scale * by_sigma).sum()
            if op.range != 'fixed':
                low_count, low_slope, high_count, high_slope = ties
                # All values that attain an end share its gradient, as in torch.amin and amax.
                g_sigma += (g_low * low_slope / low_count + g_high * high_slope / high_count).sum()
            g_sigma = g_sigma.to(sigma)
        return None, g_sigma, g_thresholds.to(thresholds), None, None, None, None


class _Quantiser:
    """The staircase in the range of each clip, or of all."""

    def __init__(
        self,
        table: StaircaseTable,
        thresholds: Tensor,
        low: Tensor,
        high: Tensor,
        op: Operation,
        channels: int,
    ) -> None:
        self.table, self.op, self.channels = table, op, channels
        self.thresholds = thresholds.detach().numpy()
        steps = thresholds.numel()
        step = (high - low) / steps
        span, step = high - low + op.eps, step.clamp(min=op.eps)
        to_nodes = steps / table.spacing / span.double()
        self.slope_scale = step * to_nodes
        # Scalars of the kernels, float32.
        self._low, self._high, self._step, self._to_nodes = (
            numbers.float().numpy() for numbers in (low, high, step, to_nodes)
        )
        # Middle of the range, its span, and what lies below the middle as a part of the span.
        parts = [(low + high) / 2, span, (high - low) / 2 / span]
        self._to_levels = torch.stack(parts, 1).float().numpy()
        self._first_node = np.float32(table.origin / table.spacing)

    def group(self, plane: int) -> int:
        """Which range a channel of a clip is quantised in."""
        return plane // self.channels if len(self._low) > 1 else 0

    def __call__(self, plane: int, y: np.ndarray) -> None:
        """Quantise the motion of one channel in place."""
        i = self.group(plane)
        low, step = self._low[i], self._step[i]
        if self.op.hard:
            kernels.hard_levels(y, low, step, self._to_levels[i], self.thresholds)
        else:
            terms = self.table.value_terms
            kernels.soft_levels(y, low, step, self._to_nodes[i], self._first_node, terms)

    def backward(
        self, plane: int, x: np.ndarray, g: np.ndarray, taps: list[np.ndarray], needs_sigma: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The sums of :func:`kernels.backward` over one channel."""
        i = self.group(plane)
        return kernels.backward(
            x,
            g,
            *taps,
            self.op.zeros,
            self.op.difference,
            self._low[i],
            self._high[i],
            self._to_levels[i],
            self._to_nodes[i],
            self._first_node,
            self.table.slope_terms,
            self.thresholds,
            needs_sigma,
            self.op.range != 'fixed',
            self.op.hard,
        )


def _planes(clips: Tensor) -> np.ndarray:
    """Each channel of each clip, (N * C, T, H, W); a view where the clips are contiguous."""
    return clips.detach().contiguous().flatten(0, 1).numpy()


def _each(step: Callable[[int], Result], count: int) -> list[Result]:
    """Do a step for each channel, in as many threads as torch would use; results in order."""
    threads = min(torch.get_num_threads(), count)
    # A share of the channels is one task: to hand them over one by one costs as much as they do.
    shares = [range(i * count // threads, (i + 1) * count // threads) for i in range(threads)]

    def do(share: range) -> list[Result]:
        return [step(i) for i in share]

    if threads == 1:
        return do(shares[0])
    with ThreadPoolExecutor(threads) as pool:
        return [result for results in pool.map(do, shares) for result in results]


def _range(
    low: Tensor, high: Tensor, ends: list[tuple[np.float32, np.float32]], clips: int, op: Operation
) -> tuple[Tensor, Tensor]:
    """The ends of the range, as given or those of the motion of each clip or of all.

    ``ends`` are those of each channel. torch would find them as fast, but its threads then wait
    for more to do, and the threads of the channels would share the cores with them.
    """
    if op.range == 'fixed':
        # The buffers may change before the backward pass.
        return low.detach().float().reshape(1).clone(), high.detach().float().reshape(1).clone()
    by_range = torch.from_numpy(np.array(ends)).view(clips if op.range == 'clip' else 1, -1, 2)
    return by_range[..., 0].amin(1), by_range[..., 1].amax(1)
