"""Temporal networks over features of single frames from all over a clip.

The name of the person reaches a temporal network once a clip, which is too seldom for the layers
below it to learn from. So in training a second linear layer names the person from each frame alone
(deep supervision: Lee et al., AISTATS 2015); the test asks the temporal one.

Names carry their dimensions: M views, C channels, F frames, H rows, W columns, D features, K
people.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from .base import ATTACKERS
from .networks import NetworkAttacker, PooledBackbone, at_least_one, head, one_of_each_stretch


class SequenceAttacker(NetworkAttacker):
    """A network over features of some frames of a clip, one of each of as many stretches.

    Training draws them at random within their stretches; a test looks at several places.

    Args:
        backbone: config of a 2D backbone of MODELS.
        num_frames: frames of a view; frames of a shorter clip come more than once.
        num_views: views in a test.
        dropout: before the linear layer.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.networks.NetworkAttacker`.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        num_frames: int = 8,
        num_views: int = 4,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        at_least_one(num_frames=num_frames, num_views=num_views)
        self.backbone, self.dropout = backbone, dropout
        self.num_frames, self.num_views = num_frames, num_views

    @abstractmethod
    def temporal(self, width: int) -> tuple[nn.Module, int]:
        """A network from features (M, F, D) to (M, D'), and D'."""

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        backbone = PooledBackbone(self.backbone, (channels, *size))
        temporal, width = self.temporal(backbone.width)
        return _SequenceNetwork(
            backbone,
            temporal,
            head(width, self.num_outputs, self.dropout),
            head(backbone.width, self.num_outputs, self.dropout),
        )

    def draw(self, total: int) -> Tensor:
        return one_of_each_stretch(total, torch.rand(self.num_frames))[None]

    def views(self, total: int) -> Tensor:
        places = (torch.arange(self.num_views) + 0.5) / self.num_views
        return torch.stack(
            [one_of_each_stretch(total, place.expand(self.num_frames)) for place in places]
        )


@ATTACKERS.register_module()
class RecurrentAttacker(SequenceAttacker):
    """A bidirectional GRU over features of frames.

    Args:
        hidden: width of the GRU, each way.
        **kwargs: see :class:`SequenceAttacker`.
    """

    def __init__(self, *, hidden: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden

    def temporal(self, width: int) -> tuple[nn.Module, int]:
        return _Recurrent(width, self.hidden), 2 * self.hidden


@ATTACKERS.register_module()
class TransformerAttacker(SequenceAttacker):
    """A transformer over features of frames.

    Args:
        heads: attention heads; they must divide the width of the features.
        layers: encoder layers.
        **kwargs: see :class:`SequenceAttacker`.
    """

    def __init__(self, *, heads: int = 4, layers: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.layers = heads, layers

    def temporal(self, width: int) -> tuple[nn.Module, int]:
        return _Transformer(width, self.num_frames, self.heads, self.layers), width


class _SequenceNetwork(nn.Module):
    """Views (M, C, F, H, W) to logits (M, 1, K); in training also those of each frame."""

    def __init__(
        self, backbone: nn.Module, temporal: nn.Module, head: nn.Module, frame_head: nn.Module
    ) -> None:
        super().__init__()
        self.backbone, self.temporal = backbone, temporal
        self.head, self.frame_head = head, frame_head

    def forward(self, x_MCFHW: Tensor) -> Tensor:
        frames = x_MCFHW.transpose(1, 2)
        features_MFD = self.backbone(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        logits = self.head(self.temporal(features_MFD))[:, None]
        if not self.training:
            return logits
        return torch.cat([logits, self.frame_head(features_MFD)], 1)


class _Recurrent(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, features_MFD: Tensor) -> Tensor:
        return self.rnn(features_MFD)[0].mean(1)


class _Transformer(nn.Module):
    def __init__(self, width: int, frames: int, heads: int, layers: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.places = nn.Parameter(0.02 * torch.randn(1, frames, width))
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, features_MFD: Tensor) -> Tensor:
        return self.encoder(features_MFD + self.places).mean(1)
