"""From sums over the pixels to the gradients of what is learned: shared by the fused backends."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sums:
    """Sums over the pixels of each of G groups, weighted by the incoming gradient g.

    Attributes:
        one: ``sum g``, shape (G,).
        value: ``sum g y(u)``, shape (G,).
        slope: ``sum g y'(u)``, shape (G,).
        slope_u: ``sum g y'(u) u``, shape (G,).
        thresholds: ``sum g dy/db_k``, shape (G, K).
    """

    one: Tensor
    value: Tensor
    slope: Tensor
    slope_u: Tensor
    thresholds: Tensor


def gradients(sums: Sums, low: Tensor, high: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """From sums in units of a level to what is learned.

    Args:
        sums: of each of G groups; ``value`` that of the hard levels for hard output.
        low, high: the ends of each group's range, shape (G,).
        eps: guard of the range.

    Returns:
        Gradients to the thresholds, shape (K,), and to ``low`` and ``high``, shape (G,), float64.
    """
    steps = sums.thresholds.shape[1]
    low, high = low.double(), high.double()
    span, step = high - low + eps, (high - low) / steps
    by_step = torch.where(step < eps, 0.0, sums.value / steps)
    step = step.clamp(min=eps)
    by_span = -step / span * sums.slope_u
    by_low = sums.one - step * steps / span * sums.slope
    by_threshold = (step[:, None] * sums.thresholds).sum(0)
    return by_threshold, by_low - by_span - by_step, by_span + by_step
