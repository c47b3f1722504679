"""The encoder in plain torch: what the other backends must equal."""

from __future__ import annotations

from torch import Tensor

from ..functional import data_range, quantize
from .operation import Operation


def encode(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    op: Operation,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blur, difference and quantiser.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point.
        sigma: of the blur, in pixels, shape (); None for no blur.
        thresholds_K: shape (K,), in units of a level.
        low, high: the fixed range, shape (); unused for other ranges.
        hardness: slope of the sigmoids, shape ().
        op: what is computed.

    Returns:
        The encoded clip (N, C, T or T - 1, H, W), and the low and high ends of its range, of shape
        (N,) for ``range='clip'``, else (1,).
    """
    motion = op.motion(x_NCTHW, sigma)
    if op.range != 'fixed':
        low, high = data_range(motion, op.range)
    y = quantize(motion, thresholds_K, low, high, hardness.to(motion), op.hard, op.eps)
    return y, low.detach().view(-1), high.detach().view(-1)
