"""What an encoder computes, apart from the numbers that it learns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import gaussian_blur, gaussian_kernel, motion


@dataclass(frozen=True)
class Operation:
    """Which parts an encoder has, for the backends that compute all of them in one function.

    Attributes:
        difference: subtract from each frame the one before.
        range: ``'fixed'``, ``'clip'`` or ``'batch'``.
        hard: whole levels forward, the gradient of the soft staircase backward.
        eps: guard of the range, see :func:`~bdq_plugin.encoders.functional.quantize`.
        kernel_size, padding: of the blur, if there is one.
        block: side of the blocks of pixels of which the mean is taken; only plain takes any but 1.
        magnitude: quantise the size of the values; only plain does.
        dither: standard deviation of the noise before the thresholds; only plain takes any.
    """

    difference: bool
    range: str
    hard: bool
    eps: float
    kernel_size: int = 5
    padding: str = 'replicate'
    block: int = 1
    magnitude: bool = False
    dither: float = 0.0

    @property
    def zeros(self) -> bool:
        """Whether frames are padded with zeros, not with their border."""
        return self.padding == 'zeros'

    def blur(self, x_NCTHW: Tensor, sigma: Tensor | None) -> Tensor:
        """The blurred clip, or the clip itself if ``sigma`` is None."""
        if sigma is None:
            return x_NCTHW
        return gaussian_blur(x_NCTHW, sigma, self.kernel_size, self.padding)

    def motion(self, x_NCTHW: Tensor, sigma: Tensor | None) -> Tensor:
        """The clip as the thresholds meet it: blurred, in blocks, differenced, dithered, folded."""
        values = motion(self.blur(x_NCTHW, sigma), self.block, self.difference, self.dither)
        return values.abs() if self.magnitude else values


def kernel_and_slope(sigma: Tensor | None, op: Operation) -> tuple[Tensor, Tensor]:
    """The blur's taps along one axis and their derivative to sigma, float32; 1 and 0 if no blur."""
    if sigma is None:
        return torch.ones(1), torch.zeros(1)
    sigma = sigma.detach()
    kernel, half = gaussian_kernel(sigma, op.kernel_size), op.kernel_size // 2
    # A tap grows as its weight does (offset^2 / sigma^3), less what all of them grow by on average.
    growth = torch.arange(-half, half + 1, dtype=sigma.dtype, device=sigma.device) ** 2 / sigma**3
    return kernel.float(), (kernel * (growth - (kernel * growth).sum())).float()
