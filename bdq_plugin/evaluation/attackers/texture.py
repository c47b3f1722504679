"""An orderless network: which textures a clip has and how much they vary, not where or when.

Names carry their dimensions: M views, F frames of a view, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import ATTACKERS
from .sequences import SequenceAttacker


@ATTACKERS.register_module()
class TextureAttacker(SequenceAttacker):
    """Features of single frames, their mean and standard deviation over time, a linear layer.

    Arguments as :class:`~bdq_plugin.evaluation.attackers.sequences.SequenceAttacker`; a backbone
    of few strides sees texture rather than shape.
    """

    def temporal(self, width: int) -> tuple[nn.Module, int]:
        return _MeanAndDeviation(width), 2 * width


class _MeanAndDeviation(nn.Module):
    """(M, F, D) to (M, 2 D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Deviations are much smaller than means: one scale for both.
        self.norm = nn.BatchNorm1d(2 * width)

    def forward(self, features_MFD: Tensor) -> Tensor:
        deviation = features_MFD.var(1, unbiased=False).add(1e-5).sqrt()
        return self.norm(torch.cat([features_MFD.mean(1), deviation], 1))
