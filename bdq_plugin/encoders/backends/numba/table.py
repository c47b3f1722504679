"""The soft staircase as a table: one look-up instead of K sigmoids, and K gradients from sums.

``y(u) = sum_k sigmoid(H (u - b_k))`` is a smooth function of one variable. Between evenly spaced
nodes, 1/32 of a sigmoid's width apart, its Taylor polynomial of degree 2 is exact to float32. Every
gradient that is a sum over pixels of ``g * phi(u)``, such as that of a threshold, needs only the
moments ``sum g``, ``sum g f`` and ``sum g f^2`` of each node, where ``f`` is the distance to it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..gradients import Sums

# Nodes per width 1 / H of a sigmoid: the cubic that is left out is below (1 / 64)^3 / 48 < 1e-7.
NODES_PER_WIDTH = 32
# Widths from the outermost threshold at which a sigmoid is 0 or 1 to 2e-9.
SATURATION = 20.0
MAX_NODES = 1 << 18
HALF_WINDOW = int(SATURATION * NODES_PER_WIDTH)
# exp(-H u) at evenly spaced nodes, from one to the next; a shift of the nodes is one factor.
DECAY = np.exp((HALF_WINDOW - np.arange(2 * HALF_WINDOW)) / NODES_PER_WIDTH)


class StaircaseTable:
    """Taylor coefficients of the soft staircase at ``size`` nodes, ``spacing`` apart.

    In NumPy, on one thread: the arrays are small, and torch would wake its threads for them.

    Args:
        thresholds_K: shape (K,), in units of a level, in any order.
        hardness: slope H of the sigmoids.

    Raises:
        ValueError: the table would need more than ``MAX_NODES`` nodes.
    """

    def __init__(self, thresholds_K: Tensor, hardness: float) -> None:
        self.thresholds = thresholds_K.detach().to('cpu', torch.float64).numpy()
        self.hardness = hardness
        # A threshold that is no number makes every value none; it needs no place in the table.
        finite = np.nan_to_num(self.thresholds)
        first, last = finite.min().item(), finite.max().item()
        margin = SATURATION / hardness
        self.spacing = 1 / (NODES_PER_WIDTH * hardness)
        self.origin = first - margin
        size = (last - first + 2 * margin) / self.spacing
        if not size < MAX_NODES:
            raise ValueError(
                f'thresholds from {first:.4g} to {last:.4g} at hardness {hardness:.4g} need a '
                f"table of {size:.3g} nodes, more than {MAX_NODES}: use backend='plain'"
            )
        self.size = math.ceil(size) + 1
        self.nodes = self.origin + self.spacing * np.arange(self.size)
        total = np.zeros((4, self.size))
        for threshold in self.thresholds:
            around, derivatives = self._derivatives(threshold)
            total[:, around] += derivatives
            total[0, around.stop :] += 1
        scale = [self.spacing**n / math.factorial(n) for n in range(4)]
        self.coefficients = total * np.array(scale)[:, None]
        c0, c1, c2, c3 = self.coefficients
        # Of the staircase and its slope (a level a node), float32, four a node: whole cache lines.
        self.value_terms = np.stack([c0, c1, c2, c3], 1).astype(np.float32)
        self.slope_terms = np.stack([c1, 2 * c2, 3 * c3, 0 * c3], 1).astype(np.float32)

    def _derivatives(self, threshold: float) -> tuple[slice, np.ndarray]:
        """The nodes around a threshold, and its sigmoid's value and derivatives there, (4, nodes).

        Before these nodes the sigmoid is 0, behind them 1.
        """
        h, first = self.hardness, 0
        if math.isfinite(threshold):
            first = round((threshold - self.origin) / self.spacing) - HALF_WINDOW
        around = slice(first, first + 2 * HALF_WINDOW)
        middle = self.origin + (first + HALF_WINDOW) * self.spacing
        s = 1 / (1 + math.exp(h * (threshold - middle)) * DECAY)
        p = s * (1 - s)
        return around, np.stack([s, h * p, h**2 * p * (1 - 2 * s), h**3 * p * (1 - 6 * p)])

    def sums(self, moments: np.ndarray) -> Sums:
        """Gradients from the moments of each node.

        Args:
            moments: ``sum g f^m`` for m of 0, 1, 2, float64, shape (G, 3, nodes), where
                ``u = node + f * spacing``.
        """
        c0, c1, c2, c3 = self.coefficients
        u, spacing = self.nodes, self.spacing
        # What each moment counts for, in the four sums over the staircase.
        weights = np.stack([
            [np.ones_like(u), np.zeros_like(u), np.zeros_like(u)],
            [c0, c1, c2],
            [c1 / spacing, 2 * c2 / spacing, 3 * c3 / spacing],
            [c1 * u / spacing, 2 * c2 * u / spacing + c1, 3 * c3 * u / spacing + 2 * c2],
        ])  # fmt: skip
        totals = np.einsum('gmj,smj->sg', moments, weights)
        scale = np.array([1, self.spacing, self.spacing**2 / 2])[:, None]
        by_threshold = []
        for threshold in self.thresholds:
            around, derivatives = self._derivatives(threshold)
            weights = -scale * derivatives[1:]
            by_threshold.append(np.einsum('gmj,mj->g', moments[..., around], weights))
        return Sums(*torch.from_numpy(totals), torch.from_numpy(np.stack(by_threshold, 1)))
