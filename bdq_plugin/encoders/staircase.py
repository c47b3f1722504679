"""The soft staircase as a table: one look-up instead of K sigmoids, and K gradients from sums.

``y(u) = sum_k sigmoid(H (u - b_k))`` is a smooth function of one variable. Between evenly spaced
nodes, 1/32 of a sigmoid's width apart, its Taylor polynomial of degree 2 is exact to float32. Every
gradient that is a sum over pixels of ``g * phi(u)``, such as that of a threshold, needs only the
moments ``sum g``, ``sum g f`` and ``sum g f^2`` of each node, where ``f`` is the distance to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Nodes per width 1 / H of a sigmoid: the cubic that is left out is below (1 / 64)^3 / 48 < 1e-7.
NODES_PER_WIDTH = 32
# Widths from the outermost threshold at which a sigmoid is 0 or 1 to 2e-9.
SATURATION = 20.0
MAX_NODES = 1 << 18
# Thresholds that are tabulated at a time, so that 255 of them need little memory.
GROUP = 4


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


class StaircaseTable:
    """Taylor coefficients of the soft staircase at ``size`` nodes, ``spacing`` apart.

    Args:
        thresholds_K: shape (K,), in units of a level, in any order.
        hardness: slope H of the sigmoids.

    Raises:
        ValueError: the table would need more than ``MAX_NODES`` nodes.
    """

    def __init__(self, thresholds_K: Tensor, hardness: float) -> None:
        self.thresholds = thresholds_K.detach().to('cpu', torch.float64)
        self.hardness = hardness
        # A threshold that is no number makes every value none; it needs no place in the table.
        finite = self.thresholds.nan_to_num(0)
        first, last = finite.min().item(), finite.max().item()
        margin = SATURATION / hardness
        self.spacing = 1 / (NODES_PER_WIDTH * hardness)
        self.origin = first - margin
        size = (last - first + 2 * margin) / self.spacing
        if size >= MAX_NODES:
            raise ValueError(
                f'thresholds from {first:.4g} to {last:.4g} at hardness {hardness:.4g} need a '
                f"table of {size:.3g} nodes, more than {MAX_NODES}: use backend='plain'"
            )
        self.size = math.ceil(size) + 1
        self.nodes = self.origin + self.spacing * torch.arange(self.size, dtype=torch.float64)
        total = sum(self._derivatives(group).sum(1) for group in self.thresholds.split(GROUP))
        scale = [self.spacing**n / math.factorial(n) for n in range(4)]
        self.coefficients = total * torch.tensor(scale, dtype=torch.float64)[:, None]
        c0, c1, c2, c3 = self.coefficients
        # Of the staircase and its slope (a level a node), float32, four a node: whole cache lines.
        self.value_terms = torch.stack([c0, c1, c2, c3], 1).float().numpy()
        self.slope_terms = torch.stack([c1, 2 * c2, 3 * c3, 0 * c3], 1).float().numpy()

    def _derivatives(self, thresholds: Tensor) -> Tensor:
        """Value and three derivatives of each sigmoid at each node, (4, K, nodes)."""
        h = self.hardness
        s = torch.sigmoid(h * (self.nodes - thresholds[:, None]))
        p = s * (1 - s)
        return torch.stack([s, h * p, h**2 * p * (1 - 2 * s), h**3 * p * (1 - 6 * p)])

    def sums(self, moments: Tensor) -> Sums:
        """Gradients from the moments of each node.

        Args:
            moments: ``sum g f^m`` for m of 0, 1, 2, float64 on the CPU, shape (G, 3, nodes), where
                ``u = node + f * spacing``.
        """
        m0, m1, m2 = moments.unbind(1)
        c0, c1, c2, c3 = self.coefficients
        u, spacing = self.nodes, self.spacing
        slope_u = m0 @ (c1 * u) + m1 @ (2 * c2 * u + c1 * spacing)
        slope_u = slope_u + m2 @ (3 * c3 * u + 2 * c2 * spacing)
        return Sums(
            one=m0.sum(1),
            value=m0 @ c0 + m1 @ c1 + m2 @ c2,
            slope=(m0 @ c1 + m1 @ (2 * c2) + m2 @ (3 * c3)) / spacing,
            slope_u=slope_u / spacing,
            thresholds=torch.cat(
                [self._threshold_sums(group, moments) for group in self.thresholds.split(GROUP)], 1
            ),
        )

    def _threshold_sums(self, thresholds: Tensor, moments: Tensor) -> Tensor:
        scale = torch.tensor([1, self.spacing, self.spacing**2 / 2], dtype=torch.float64)
        by_node = self._derivatives(thresholds)[1:] * scale[:, None, None]
        return -torch.einsum('gmj,mkj->gk', moments, by_node)


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
