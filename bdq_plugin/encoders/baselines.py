"""Rivals that need no training: clear video, low resolution, blur and pixelation.

Their strength is given for frames of 224 pixels, as the literature does, and scaled to the shorter
side of the frame at hand: a factor of 16 leaves 14 x 14 pixels of a square frame of any size.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from .base import ClipEncoder
from .functional import gaussian_blur

REFERENCE_SIZE = 224


class PassThrough(ClipEncoder):
    """Clear video: the baseline without an encoder."""

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        return x_NCTHW


class Downsample(ClipEncoder):
    """Extreme low resolution (Ryoo et al., AAAI 2017), brought back to the frame's size.

    Args:
        factor: the shorter side keeps 224 / factor pixels.
        interpolation: how the small frame is enlarged, ``'bilinear'`` or ``'nearest'``.
    """

    def __init__(self, factor: float = 16, interpolation: str = 'bilinear') -> None:
        super().__init__()
        if not factor >= 1:
            raise ValueError(f'factor must be at least 1, got {factor}')
        if interpolation not in ('bilinear', 'nearest'):
            raise ValueError(f"interpolation is 'bilinear' or 'nearest', got '{interpolation}'")
        self.factor, self.interpolation = factor, interpolation

    def small_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns that are left of a frame."""
        scale = REFERENCE_SIZE / self.factor / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        size = x_NCTHW.shape[-2:]
        frames = x_NCTHW.flatten(0, 1)
        small = F.interpolate(frames, self.small_size(*size), mode='area')
        options = {} if self.interpolation == 'nearest' else {'align_corners': False}
        large = F.interpolate(small, size, mode=self.interpolation, **options)
        return large.unflatten(0, x_NCTHW.shape[:2])


class Pixelate(Downsample):
    """Blocks of one colour.

    Args:
        block: side of a block in pixels of a frame whose shorter side is 224.
    """

    def __init__(self, block: float = 16) -> None:
        super().__init__(factor=block, interpolation='nearest')


class GaussianBlurOnly(ClipEncoder):
    """A fixed blur over the whole of the Gaussian, not a 5 x 5 window.

    Args:
        sigma: standard deviation in pixels of a frame whose shorter side is 224.
    """

    def __init__(self, sigma: float = 8.0) -> None:
        super().__init__()
        if not sigma > 0:
            raise ValueError(f'sigma must be above 0 pixels, got {sigma}')
        self.sigma = sigma

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        sigma = self.sigma * min(x_NCTHW.shape[-2:]) / REFERENCE_SIZE
        return gaussian_blur(x_NCTHW, sigma, kernel_size=2 * math.ceil(3 * sigma) + 1)
