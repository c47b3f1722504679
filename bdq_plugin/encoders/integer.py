"""The encoder in whole numbers: what a camera computes, exact in any order of summation.

A frame holds 8 bits. The 1-D kernel is rounded to whole multiples of 1/256, so a blurred value is a
whole number of at most 24 bits (255 * 256 * 256), and so is every partial sum. Float32 holds those
without rounding: torch on any device, NumPy, OpenCV and a camera's own arithmetic all give the same
levels, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .functional import gaussian_kernel, separable_filter, temporal_difference

KERNEL_SUM = 256


def integer_kernel(sigma: float, kernel_size: int = 5) -> tuple[int, ...]:
    """A symmetric kernel of whole numbers with sum 256, nearest to the Gaussian.

    The centre tap takes what rounding the others leaves.
    """
    weights = gaussian_kernel(torch.tensor(sigma, dtype=torch.float64), kernel_size)
    half = kernel_size // 2
    side = [round(KERNEL_SUM * weights[i].item()) for i in range(half)]
    return (*side, KERNEL_SUM - 2 * sum(side), *reversed(side))


@dataclass(frozen=True)
class IntegerForm:
    """All that a camera needs to know of a trained encoder.

    Attributes:
        kernel: taps of the blur along one axis, sum 256; ``(256,)`` where there is no blur.
        padding: ``'replicate'`` or ``'zeros'``.
        difference: whether the previous blurred frame is subtracted.
        thresholds: K whole numbers; the level is the number of thresholds strictly below the value.
        dither: standard deviation of the noise added before the thresholds, in the same units.
        low, step: a level stands for ``low + level * step`` of full intensity.

    Values and thresholds count in units of 1 / (255 * 65536) of full intensity.
    """

    kernel: tuple[int, ...]
    padding: str
    difference: bool
    thresholds: tuple[int, ...]
    dither: float
    low: float
    step: float

    @property
    def num_levels(self) -> int:
        return len(self.thresholds) + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return asdict(self)

    @torch.no_grad()
    def values(self, frames_NCTHW: Tensor) -> Tensor:
        """Blur and difference of uint8 frames (N, C, T, H, W), as whole numbers in float32."""
        kernel = torch.tensor(self.kernel, dtype=torch.float32, device=frames_NCTHW.device)
        blurred = separable_filter(frames_NCTHW.float(), kernel, self.padding)
        return temporal_difference(blurred) if self.difference else blurred

    @torch.no_grad()
    def codes(self, frames_NCTHW: Tensor) -> Tensor:
        """uint8 frames (N, C, T, H, W) to uint8 levels (N, C, T or T - 1, H, W)."""
        values = self.values(frames_NCTHW)
        if self.dither:
            values = values + (self.dither * torch.randn_like(values)).round()
        thresholds = torch.tensor(self.thresholds, dtype=torch.float32, device=values.device)
        # bucketize counts the boundaries strictly below a value.
        return torch.bucketize(values.contiguous(), thresholds).to(torch.uint8)

    def decode(self, codes: Tensor) -> Tensor:
        """uint8 levels of any shape to the float32 values that they stand for."""
        return self.low + codes.float() * self.step


def integer_thresholds(thresholds: list[float], low: float, high: float) -> tuple[int, ...]:
    """Thresholds in units of a level, to whole numbers in units of 1 / (255 * 65536).

    Values are whole, so ``value > t`` and ``value > floor(t)`` are the same.
    """
    scale = 255 * KERNEL_SUM * KERNEL_SUM
    step = (high - low) / len(thresholds)
    return tuple(math.floor((low + t * step) * scale) for t in sorted(thresholds))
