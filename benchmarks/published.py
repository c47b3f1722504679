"""The published encoder as it is described, without any of our savings: what studies compare with.

A full 5 x 5 kernel built from sigma and convolved in 3D, the clip rolled by a frame and subtracted,
the wrapped frame dropped, minimum and maximum of the whole batch, and fifteen sigmoids added up,
each of which autograd keeps. The preset ``bdq_released`` computes the same.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 16
HARDNESS = 5.0
KERNEL_SIZE = 5
GUARD = 1e-4


class PublishedEncoder(nn.Module):
    """(N, C, T, H, W), normalised by mean and standard deviation, to (N, C, T - 1, H, W).

    Args:
        sigma: of the blur, in pixels.
        learn_sigma: the paper learns it, the released code does not.
    """

    def __init__(self, sigma: float = 3.0, *, learn_sigma: bool = False) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)), requires_grad=learn_sigma)
        self.thresholds = nn.Parameter(torch.arange(LEVELS - 1) + 0.5)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        channels = x_NCTHW.shape[1]
        offsets = torch.arange(KERNEL_SIZE, device=x_NCTHW.device) - KERNEL_SIZE // 2
        squares = offsets[:, None] ** 2 + offsets[None, :] ** 2
        kernel = torch.exp(-squares / (2 * self.log_sigma.exp() ** 2))
        kernel = (kernel / kernel.sum()).to(x_NCTHW).expand(channels, 1, 1, -1, -1)
        margin = KERNEL_SIZE // 2
        blurred = F.conv3d(x_NCTHW, kernel, padding=(0, margin, margin), groups=channels)
        motion = (blurred - torch.roll(blurred, 1, dims=2))[:, :, 1:]

        low, high = motion.min(), motion.max()
        top = LEVELS - 1
        u = (motion - low) / (high - low + GUARD) * top
        levels = torch.zeros_like(u)
        for threshold in self.thresholds:
            levels = levels + torch.sigmoid(HARDNESS * (u - threshold))
        return levels * torch.clamp((high - low) / top, min=GUARD) + low
