"""The panel: networks that try to recognise people in encoded clips.

An attacker maps clips (N, C, T, H, W) to logits (N, T', K): one answer a frame, or T' = 1 answer a
clip. It is trained from scratch on the encoded training clips, as whoever holds such clips with
names would. The network for the action is trained the same way, with ``target='action'``.

A new attacker is a class under ``@ATTACKERS.register_module()`` with ``forward``, and a line in the
panel's config::

    panel = dict(mine=dict(type='MyAttacker', recipe=dict(epochs=40)), ...)

``start_from='frame'`` in such a line begins with the trained backbone of that network of the panel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope, Registry
from torch import Tensor, nn

from .clips import Clips
from .training import Recipe, classification_loss, fit, predict

ATTACKERS = Registry('attacker', scope='bdq_plugin', locations=['bdq_plugin.evaluation'])

TARGETS = ('identity', 'action')


@dataclass(frozen=True)
class Attack:
    """What one network answered.

    Attributes:
        train, test: probabilities, (N, T', K), on the clips it was trained on (without
            augmentation) and on those of the test split.
        extras: further figures, by name.
    """

    train: np.ndarray
    test: np.ndarray
    extras: dict[str, float] = field(default_factory=dict)


class Attacker(nn.Module):
    """Base of all attackers.

    Args:
        num_outputs: K, people or attributes or actions.
        shape: (C, T, H, W) of an encoded clip.
        target: what it is to recognise, ``'identity'`` or ``'action'``.
        recipe: arguments of :class:`~bdq_plugin.evaluation.training.Recipe`.
    """

    def __init__(
        self,
        num_outputs: int,
        shape: tuple[int, int, int, int],
        target: str = 'identity',
        recipe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if target not in TARGETS:
            raise ValueError(f"unknown target '{target}': choose one of {TARGETS}")
        self.num_outputs, self.shape, self.target = num_outputs, tuple(shape), target
        self.recipe = Recipe.from_config(recipe or {})

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """Logits (N, T', K)."""
        raise NotImplementedError

    def attack(self, train: Clips, test: Clips) -> Attack:
        """Train on ``train``, then answer for both."""
        targets = train.target(self.target)

        def step(clips: Tensor, labels: Tensor) -> Tensor:
            return classification_loss(self(clips), labels)

        fit(self, step, train.values, targets, self.recipe)
        multi_label = targets.ndim == 2
        return Attack(
            predict(self, train.values, multi_label), predict(self, test.values, multi_label)
        )


@ATTACKERS.register_module()
class FrameAttacker(Attacker):
    """A 2D network on single frames: the attacker of the published figures.

    Each step shows it one random frame of each clip. At the test it answers for every frame, which
    gives the accuracy of single frames and, averaged over a clip, the frame vote.

    Args:
        backbone: config of a 2D backbone of MODELS; ``init_cfg`` or ``pretrained`` may name a local
            file of weights.
        dropout: before the linear layer.
        **kwargs: see :class:`Attacker`.
    """

    def __init__(self, backbone: dict[str, Any], dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels, _, height, width = self.shape
        self.backbone = _PooledBackbone(backbone, (channels, height, width))
        self.head = _head(self.backbone.width, self.num_outputs, dropout)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        if self.training:
            x_NCTHW = _one_random_frame(x_NCTHW)
        return self.head(self.backbone.of_frames(x_NCTHW))


@ATTACKERS.register_module()
class LinearProbe(Attacker):
    """A linear classifier of single frames: of pooled pixels, or of frozen features.

    Args:
        grid: rows and columns that a frame is pooled to, where there is no backbone.
        backbone: config of a 2D backbone of MODELS, which stays as it is.
        **kwargs: see :class:`Attacker`.
    """

    def __init__(
        self,
        grid: tuple[int, int] = (16, 12),
        backbone: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels, _, height, width = self.shape
        if backbone is None:
            self.backbone = None
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(tuple(grid)), nn.Flatten())
            features = channels * grid[0] * grid[1]
        else:
            self.backbone = _PooledBackbone(backbone, (channels, height, width))
            self.backbone.requires_grad_(False)
            features = self.backbone.width
        # Without affine numbers: it only brings every feature to one scale.
        self.scale = nn.BatchNorm1d(features, affine=False)
        self.head = nn.Linear(features, self.num_outputs)

    def train(self, mode: bool = True) -> LinearProbe:
        """The backbone's statistics stay frozen too."""
        super().train(mode)
        if self.backbone is not None:
            self.backbone.eval()
        return self

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        if self.training:
            x_NCTHW = _one_random_frame(x_NCTHW)
        if self.backbone is None:
            features_MD = self.pool(_as_frames(x_NCTHW))
        else:
            features_MD = self.backbone.of_frames(x_NCTHW).flatten(0, 1)
        return self.head(self.scale(features_MD)).unflatten(0, (len(x_NCTHW), -1))


@ATTACKERS.register_module()
class ClipAttacker(Attacker):
    """A 3D convolutional network over the whole clip.

    Args:
        backbone: config of a 3D backbone of MODELS.
        dropout: before the linear layer.
        **kwargs: see :class:`Attacker`.
    """

    def __init__(self, backbone: dict[str, Any], dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backbone = _PooledBackbone(backbone, self.shape)
        self.head = _head(self.backbone.width, self.num_outputs, dropout)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        return self.head(self.backbone(x_NCTHW)).unsqueeze(1)


class SequenceAttacker(Attacker):
    """A temporal network over 2D features of some frames of a clip.

    Training draws the frames at random, one of each of ``num_frames`` stretches of the clip; the
    test takes the middle of each.

    Args:
        backbone: config of a 2D backbone of MODELS.
        num_frames: frames that are looked at; the whole clip where it is shorter.
        dropout: before the linear layer.
        **kwargs: see :class:`Attacker`.
    """

    def __init__(
        self, backbone: dict[str, Any], num_frames: int = 8, dropout: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        channels, frames, height, width = self.shape
        self.num_frames = min(num_frames, frames)
        self.backbone = _PooledBackbone(backbone, (channels, height, width))
        self.dropout = dropout

    def choose(self, total: int) -> Tensor:
        """Indices of the frames to look at, in order."""
        edges = torch.linspace(0, total, self.num_frames + 1)
        place = (
            torch.rand(self.num_frames) if self.training else torch.full((self.num_frames,), 0.5)
        )
        return (edges[:-1] + place * edges.diff()).long().clamp(max=total - 1)

    def features(self, x_NCTHW: Tensor) -> Tensor:
        """(N, T, D) of the chosen frames."""
        chosen = self.choose(x_NCTHW.shape[2]).to(x_NCTHW.device)
        return self.backbone.of_frames(x_NCTHW[:, :, chosen])


@ATTACKERS.register_module()
class RecurrentAttacker(SequenceAttacker):
    """A bidirectional GRU over 2D features. Arguments as :class:`SequenceAttacker`.

    Args:
        hidden: width of the GRU, each way.
    """

    def __init__(self, hidden: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rnn = nn.GRU(self.backbone.width, hidden, batch_first=True, bidirectional=True)
        self.head = _head(2 * hidden, self.num_outputs, self.dropout)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        states_NTD, _ = self.rnn(self.features(x_NCTHW))
        return self.head(states_NTD.mean(1, keepdim=True))


@ATTACKERS.register_module()
class TransformerAttacker(SequenceAttacker):
    """A transformer over 2D features. Arguments as :class:`SequenceAttacker`.

    Args:
        heads: attention heads; they must divide the width of the features.
        layers: encoder layers.
    """

    def __init__(self, heads: int = 4, layers: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        width = self.backbone.width
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.places = nn.Parameter(0.02 * torch.randn(1, self.num_frames, width))
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = _head(width, self.num_outputs, self.dropout)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        states_NTD = self.encoder(self.features(x_NCTHW) + self.places)
        return self.head(states_NTD.mean(1, keepdim=True))


def build_attacker(
    name: str, config: dict[str, Any], outputs: dict[str, int], shape: tuple[int, ...]
) -> Attacker:
    """Build one network of a panel and show it a clip of zeros.

    Args:
        name: its name in the panel, for messages.
        config: of a class of ``ATTACKERS``.
        outputs: K of each target.
        shape: (C, T, H, W) of an encoded clip.

    Raises:
        ValueError: the class or an argument is unknown, or the network cannot read such clips.
    """
    target = config.get('target', 'identity')
    if target not in outputs:
        raise ValueError(f"panel '{name}': unknown target '{target}', choose one of {TARGETS}")
    config = {k: v for k, v in config.items() if k != 'start_from'}
    try:
        attacker = ATTACKERS.build(dict(config, num_outputs=outputs[target], shape=shape))
        with torch.no_grad():
            logits = attacker.eval()(torch.zeros(2, *shape))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"panel '{name}' cannot attack clips (C, T, H, W) = {tuple(shape)}: {error}"
        ) from error
    if logits.ndim != 3 or logits.shape[::2] != (2, outputs[target]):
        raise ValueError(
            f"panel '{name}': forward must give logits (N, T, {outputs[target]}), got "
            f'{tuple(logits.shape)} for 2 clips'
        )
    return attacker


def build_panel(
    networks: dict[str, dict[str, Any]], outputs: dict[str, int], shape: tuple[int, ...]
) -> None:
    """Build every network of a panel once, to find its mistakes before the first is trained.

    Args:
        networks: config of each, by name, in the order of training.
        outputs, shape: see :func:`build_attacker`.

    Raises:
        ValueError: as :func:`build_attacker`, or ``start_from`` names no earlier network with the
            same backbone.
    """
    built: dict[str, Attacker] = {}
    for name, config in networks.items():
        built[name] = build_attacker(name, config, outputs, shape)
        source = config.get('start_from')
        if source is None:
            continue
        if source not in built or source == name:
            raise ValueError(
                f"panel '{name}': start_from='{source}' is no earlier network of the panel, which "
                f'are {", ".join(k for k in built if k != name) or "none"}'
            )
        try:
            built[name].backbone.load_state_dict(built[source].backbone.state_dict())
        except (AttributeError, RuntimeError) as error:
            raise ValueError(
                f"panel '{name}': start_from='{source}' has another backbone: {error}"
            ) from error


class _PooledBackbone(nn.Module):
    """A backbone of MODELS, averaged over all places: (N, C, ...) to (N, D).

    Args:
        config: of the backbone.
        shape: of one input, without N.
    """

    def __init__(self, config: dict[str, Any], shape: tuple[int, ...]) -> None:
        super().__init__()
        with DefaultScope.overwrite_default_scope('mmaction'):
            self.net = MODELS.build(config)
        if hasattr(self.net, 'init_weights'):
            with _quiet():
                self.net.init_weights()
        with torch.no_grad():
            self.width = self.eval()(torch.zeros(1, *shape)).shape[1]
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        features = self.net(x)
        features = features[-1] if isinstance(features, tuple | list) else features
        return features.flatten(2).mean(2)

    def of_frames(self, x_NCTHW: Tensor) -> Tensor:
        """Features (N, T, D) of every frame."""
        return self(_as_frames(x_NCTHW)).unflatten(0, (len(x_NCTHW), -1))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MMEngine from logging each weight that ``init_weights`` left alone."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def _as_frames(x_NCTHW: Tensor) -> Tensor:
    """(N * T, C, H, W)."""
    return x_NCTHW.transpose(1, 2).flatten(0, 1)


def _one_random_frame(x_NCTHW: Tensor) -> Tensor:
    """A frame of each clip, (N, C, 1, H, W); another index for each."""
    count, frames = len(x_NCTHW), x_NCTHW.shape[2]
    chosen = torch.randint(frames, (count,))
    return x_NCTHW[torch.arange(count), :, chosen].unsqueeze(2)


def _head(width: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, outputs))
