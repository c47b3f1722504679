"""B: the Gaussian blur as a module with a learned width."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .functional import PADDINGS, gaussian_blur

SIGMA_LIMITS = (0.1, 100.0)


class GaussianBlur(nn.Module):
    """Blur every frame by a Gaussian with one sigma for all channels.

    The parameter is log(sigma), so that sigma stays positive whatever the optimiser does.

    Args:
        sigma: initial standard deviation in pixels, above 0.
        learnable: whether sigma receives gradient. The paper learns it, the released code does not.
        kernel_size: taps a side, odd.
        padding: ``'replicate'`` or ``'zeros'``.
    """

    def __init__(
        self,
        sigma: float = 1.0,
        *,
        learnable: bool = True,
        kernel_size: int = 5,
        padding: str = 'replicate',
    ) -> None:
        super().__init__()
        if not sigma > 0:
            raise ValueError(f'sigma must be above 0 pixels, got {sigma}')
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd and positive, got {kernel_size}')
        if padding not in PADDINGS:
            raise ValueError(f"unknown padding '{padding}': choose one of {PADDINGS}")
        self.kernel_size, self.padding = kernel_size, padding
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)), requires_grad=learnable)

    @property
    def sigma(self) -> Tensor:
        """The standard deviation in pixels, a scalar tensor with gradient."""
        return self.log_sigma.exp()

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """(N, C, T, H, W) to the same shape; see :func:`gaussian_blur`."""
        return gaussian_blur(x_NCTHW, self.sigma, self.kernel_size, self.padding)

    @torch.no_grad()
    def project_(self) -> None:
        """Keep sigma where the kernel still depends on it.

        Below 0.1 pixels nothing is blurred and above 100 five taps are a box; further out float32
        would round sigma to 0 and the kernel to 0 / 0.
        """
        self.log_sigma.clamp_(*(math.log(s) for s in SIGMA_LIMITS))

    def extra_repr(self) -> str:
        return (
            f'sigma={self.sigma.item():.4g}, kernel_size={self.kernel_size}, '
            f'padding={self.padding}, learnable={self.log_sigma.requires_grad}'
        )
