"""An encoder of one's own: has a pixel become brighter, darker, or neither?"""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from torch import Tensor

from bdq_plugin.encoders.base import ClipEncoder
from bdq_plugin.encoders.functional import temporal_difference


@MODELS.register_module()
class EventEncoder(ClipEncoder):
    """Three levels of the difference between neighbouring frames, like an event camera's.

    Args:
        threshold: how much brighter or darker counts, as a share of full intensity.
    """

    signed = True  # zero where nothing moves
    drops_frames = 1  # a difference needs two

    def __init__(self, threshold: float = 0.04) -> None:
        super().__init__()
        if not 0 < threshold < 1:
            raise ValueError(f'threshold must be between 0 and 1, got {threshold}')
        self.threshold = threshold
        self.config = dict(threshold=threshold)

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        """(N, C, T, H, W) in [0, 1] to (N, C, T - 1, H, W) of -1, 0 and 1; the gradient passes."""
        difference = temporal_difference(x_NCTHW)
        events = difference.sign() * (difference.abs() > self.threshold)
        return difference + (events - difference).detach()

    def codes(self, x_NCTHW: Tensor) -> Tensor:
        """uint8: 0 darker, 1 neither, 2 brighter."""
        return (self.encode(x_NCTHW).round() + 1).to(torch.uint8)
