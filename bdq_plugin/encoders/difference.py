"""D: the temporal difference as a module."""

from __future__ import annotations

from torch import Tensor, nn

from .functional import temporal_difference


class TemporalDifference(nn.Module):
    """Subtract from each frame the one before it: (N, C, T, H, W) to (N, C, T - 1, H, W)."""

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """See :func:`temporal_difference`."""
        return temporal_difference(x_NCTHW)
