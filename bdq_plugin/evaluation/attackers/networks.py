"""Networks as attackers, and the plain ones: of single frames, of short windows, linear.

A network looks at *views* of a clip, each of F of its frames: one frame, consecutive frames, or
frames from all over it. In training each step shows it random views of random encodings of some
clips; at the test it answers for views that cover the clip, and the mean of their log-probabilities
is its answer for the clip. A subclass says what a view is and builds the network::

    @ATTACKERS.register_module()
    class MyAttacker(SingleFrameAttacker):
        def features(self, channels, size):
            return MyNetwork(channels), 64  # frames (M, C, H, W) to features (M, 64)

Names carry their dimensions: N clips, E encodings, C channels, T frames of a clip, M views, F
frames of a view, L answers for a view, K people (or actions, or attributes).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from ..clips import Clips
from ..scores import class_mean_average_precision
from .base import ATTACKERS, Answer, Attacker, Fit, normalized
from .training import Recipe, Trial, augment, classification_loss, seeded, train

# A code whose shorter side is below the first is enlarged to the second or more, in pixels.
_COARSE, _ENOUGH = 12, 24


class NetworkAttacker(Attacker):
    """Base of the attackers that are one network.

    Args:
        recipe: arguments of :class:`~bdq_plugin.evaluation.attackers.training.Recipe`.
        scale: frames are averaged down to this share of their height and width first. At 0.5 a
            network takes a quarter of the time. Codes of coarse blocks, such as 6 x 8, never are:
            they are enlarged, each block to a square of pixels, for strides would leave nothing of
            them.
        enlarge: whether they are; a network with few strides reads them as they are in a fraction
            of the time.
        device: where the network runs.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.Attacker`.
    """

    def __init__(
        self,
        *,
        recipe: dict[str, Any] | None = None,
        scale: float = 1.0,
        enlarge: bool = True,
        device: str = 'cpu',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < scale <= 1:
            raise ValueError(f'scale must be above 0 and at most 1, got {scale}')
        self.recipe = Recipe.from_config(recipe or {})
        self.scale, self.enlarge, self.device = scale, enlarge, device
        self.network: nn.Module | None = None

    @abstractmethod
    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        """A network from views (M, C, F, H, W) to logits (M, L, K).

        L is 1 at the test. In training a network may give further answers, which are judged too.
        """

    @abstractmethod
    def draw(self, total: int) -> Tensor:
        """Random views of a clip of ``total`` frames: indices (V, F), always as many."""

    @abstractmethod
    def views(self, total: int) -> Tensor:
        """The views that are looked at in a test: indices (V, F)."""

    def check(self, clips: Clips) -> None:
        """Build the network and show it zeros.

        Raises:
            ValueError: its config is wrong, or it cannot read such clips.
        """
        height, width = self._size(clips)
        try:
            view = self.views(clips.shortest)[:1]
            with torch.no_grad():
                network = self._built(clips).eval()
                zeros = torch.zeros(1, clips.channels, view.shape[1], height, width)
                logits = network(zeros.to(self.device))
        except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f'{type(self).__name__} cannot read clips of {clips.channels} channels, '
                f'{height} x {width} pixels (at scale {self.scale}): {error}'
            ) from error
        if logits.shape != (1, 1, self.num_outputs):
            raise ValueError(
                f'{type(self).__name__}: its network must give logits (M, 1, {self.num_outputs}), '
                f'got {tuple(logits.shape)} for one view'
            )

    def fit(self, clips: Clips) -> Fit:
        """Train the network until it has learned the clips, or can learn no more."""
        targets = clips.target(self.target).to(self.device)
        values = self._scaled(clips)
        known = clips.first_encodings()
        seen = [encodings[:1] for encodings in values]
        with seeded(self.seed, self.device):
            self.network = self._built(clips)
            training = train(
                self.network,
                lambda index: self._loss(values, index, targets),
                len(clips),
                self.recipe,
                lambda: self._attempt(known, seen),
                type(self).__name__,
            )
        return Fit(training.trial.accuracy, training.converged, training.epochs)

    def answer(self, clips: Clips) -> Answer:
        """Log-probabilities, or log-odds of attributes, of each encoding."""
        return self._answer(clips, self._scaled(clips))

    @torch.no_grad()
    def embed(self, clips: Clips) -> np.ndarray:
        """What the last linear layer reads, (N, D): the mean over the views of a clip."""
        self.network.eval()
        read: list[Tensor] = []
        last = [m for m in self.network.modules() if isinstance(m, nn.Linear)][-1]
        handle = last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        try:
            found = []
            for encodings in self._scaled(clips.first_encodings()):
                read.clear()
                self._view_scores(encodings[0])
                found.append(read[-1].flatten(0, -2).mean(0).cpu().numpy())
        finally:
            handle.remove()
        return np.stack(found)

    def _built(self, clips: Clips) -> nn.Module:
        with seeded(self.seed, self.device):
            return self.build(clips.channels, self._size(clips)).to(self.device)

    def _size(self, clips: Clips) -> tuple[int, int]:
        shorter = min(clips.size)
        if shorter < _COARSE:
            times = math.ceil(_ENOUGH / shorter) if self.enlarge else 1
            height, width = (side * times for side in clips.size)
            return height, width
        height, width = (max(1, round(self.scale * side)) for side in clips.size)
        return height, width

    def _scaled(self, clips: Clips) -> list[list[Tensor]]:
        """The encodings, (C, T, H, W), as large as this attacker looks at them."""
        size = self._size(clips)
        if size == clips.size:
            return [list(encodings) for encodings in clips.values]
        return [
            [F.interpolate(x.float(), size, mode='area').half() for x in encodings]
            for encodings in clips.values
        ]

    def _loss(self, values: Sequence[Sequence[Tensor]], index: Tensor, targets: Tensor) -> Tensor:
        encodings = torch.randint(len(values[0]), (len(index),)).tolist()
        chosen = [values[n][e] for n, e in zip(index.tolist(), encodings, strict=True)]
        views_NVCFHW = torch.stack([_look(x, self.draw(x.shape[1])) for x in chosen])
        views_NVCFHW = augment(views_NVCFHW, self.recipe).to(self.device)
        per_clip = views_NVCFHW.shape[1]
        logits = self.network(views_NVCFHW.flatten(0, 1))
        return classification_loss(logits, targets[index].repeat_interleave(per_clip, 0))

    @torch.no_grad()
    def _answer(self, clips: Clips, values: Sequence[Sequence[Tensor]]) -> Answer:
        self.network.eval()
        scores = [[self._view_scores(x) for x in encodings] for encodings in values]
        means = np.stack([[views.mean(0) for views in encodings] for encodings in scores])
        return Answer(
            means if self.multi_label else normalized(means),
            self._frame_hits([encodings[0] for encodings in scores], clips),
        )

    def _view_scores(self, x_CTHW: Tensor) -> np.ndarray:
        """Log-probabilities, or log-odds of attributes, of each view, (V, K)."""
        views = _look(x_CTHW, self.views(x_CTHW.shape[1])).to(self.device)
        logits = self.network(views)[:, 0].double()
        return (logits if self.multi_label else logits.log_softmax(-1)).cpu().numpy()

    def _frame_hits(self, scores: list[np.ndarray], clips: Clips) -> np.ndarray | None:
        """See :class:`Answer`, from the scores (V, K) of each clip's first encoding."""
        return None

    def _attempt(self, clips: Clips, values: Sequence[Sequence[Tensor]]) -> Trial:
        log_probs_NK = self._answer(clips, values).log_probs[:, 0]
        truth = clips.target(self.target)
        loss = classification_loss(
            torch.from_numpy(log_probs_NK)[:, None], truth.double() if self.multi_label else truth
        )
        return Trial(accuracy(log_probs_NK, truth.numpy(), self.multi_label), float(loss))


def accuracy(log_probs_NK: np.ndarray, truth: np.ndarray, multi_label: bool = False) -> float:
    """Share of clips that are told rightly; for attributes the cMAP."""
    if multi_label:
        return class_mean_average_precision(log_probs_NK, truth)
    return float((log_probs_NK.argmax(1) == truth).mean())


class SingleFrameAttacker(NetworkAttacker):
    """Base of the attackers that look at single frames.

    Args:
        frames_per_step: random frames of each clip in a step. A network that sees one a step is
            slow to learn.
        max_frames: how many frames, evenly spread, are looked at in a test.
        dropout: before the linear layer.
        **kwargs: see :class:`NetworkAttacker`.
    """

    def __init__(
        self,
        *,
        frames_per_step: int = 8,
        max_frames: int = 32,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        at_least_one(frames_per_step=frames_per_step, max_frames=max_frames)
        self.frames_per_step, self.max_frames = frames_per_step, max_frames
        self.dropout = dropout

    @abstractmethod
    def features(self, channels: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
        """A network from frames (M, C, H, W) to features (M, D), and D."""

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        features, width = self.features(channels, size)
        return _FrameNetwork(features, head(width, self.num_outputs, self.dropout))

    def draw(self, total: int) -> Tensor:
        return one_of_each_stretch(total, torch.rand(self.frames_per_step))[:, None]

    def views(self, total: int) -> Tensor:
        return one_of_each_stretch(total, torch.full((min(total, self.max_frames),), 0.5))[:, None]

    def _frame_hits(self, scores: list[np.ndarray], clips: Clips) -> np.ndarray | None:
        if self.multi_label:
            return None
        truth = clips.target(self.target).tolist()
        return np.array([(s.argmax(1) == k).mean() for s, k in zip(scores, truth, strict=True)])


@ATTACKERS.register_module()
class FrameAttacker(SingleFrameAttacker):
    """A 2D network on single frames: the attacker of the published figures.

    Args:
        backbone: config of a 2D backbone of MODELS; ``init_cfg`` or ``pretrained`` may name a local
            file of weights.
        **kwargs: see :class:`SingleFrameAttacker`.
    """

    def __init__(self, *, backbone: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone

    def features(self, channels: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
        backbone = PooledBackbone(self.backbone, (channels, *size))
        return backbone, backbone.width


@ATTACKERS.register_module()
class LinearProbe(SingleFrameAttacker):
    """A linear classifier of single frames, pooled to a coarse grid: what needs no network.

    Args:
        grid: rows and columns.
        **kwargs: see :class:`SingleFrameAttacker`.
    """

    def __init__(self, *, grid: tuple[int, int] = (16, 12), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid = tuple(grid)
        at_least_one(grid_rows=self.grid[0], grid_columns=self.grid[1])

    def features(self, channels: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
        width = channels * self.grid[0] * self.grid[1]
        # Without affine numbers: it only brings every feature to one scale.
        norm = nn.BatchNorm1d(width, affine=False)
        return nn.Sequential(nn.AdaptiveAvgPool2d(self.grid), nn.Flatten(), norm), width


@ATTACKERS.register_module()
class ClipAttacker(NetworkAttacker):
    """A 3D convolutional network over windows of consecutive frames.

    Args:
        backbone: config of a 3D backbone of MODELS.
        clip_len: frames of a window; a shorter clip is repeated.
        stride: from one frame of a window to the next: 1 for consecutive frames.
        windows: how many, evenly spread, are looked at in a test.
        dropout: before the linear layer.
        **kwargs: see :class:`NetworkAttacker`.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        clip_len: int = 16,
        stride: int = 1,
        windows: int = 4,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        at_least_one(clip_len=clip_len, stride=stride, windows=windows)
        self.backbone, self.dropout = backbone, dropout
        self.clip_len, self.stride, self.windows = clip_len, stride, windows

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        backbone = PooledBackbone(self.backbone, (channels, self.clip_len, *size))
        return nn.Sequential(
            backbone, head(backbone.width, self.num_outputs, self.dropout), nn.Unflatten(1, (1, -1))
        )

    def draw(self, total: int) -> Tensor:
        return self._windows(total, torch.randint(self._last_start(total) + 1, (1,)))

    def views(self, total: int) -> Tensor:
        starts = torch.linspace(0, self._last_start(total), self.windows)
        return self._windows(total, starts.round().long().unique())

    def _windows(self, total: int, starts: Tensor) -> Tensor:
        return (starts[:, None] + self.stride * torch.arange(self.clip_len)) % total

    def _last_start(self, total: int) -> int:
        return max(0, total - self.stride * (self.clip_len - 1) - 1)


class _FrameNetwork(nn.Module):
    """Features of single frames (M, C, H, W), then a linear layer: (M, C, 1, H, W) to (M, 1, K)."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x_MCFHW: Tensor) -> Tensor:
        return self.head(self.features(x_MCFHW.squeeze(2)))[:, None]


class PooledBackbone(nn.Module):
    """A backbone of MODELS, averaged over all places: (N, C, ...) to (N, D).

    Args:
        config: of the backbone; ``in_channels`` is that of the input where it does not say so.
        shape: of one input, without N.
    """

    def __init__(self, config: dict[str, Any], shape: tuple[int, ...]) -> None:
        super().__init__()
        with DefaultScope.overwrite_default_scope('mmaction'):
            arguments = signature(MODELS.get(config['type']).__init__).parameters
            channels = {'in_channels': shape[0]} if 'in_channels' in arguments else {}
            self.net = MODELS.build({**channels, **config})
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


def head(width: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """The linear layer that names people."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, outputs))


def one_of_each_stretch(total: int, places: Tensor) -> Tensor:
    """Cut ``total`` frames into as many stretches as there are places in [0, 1): one frame of each.

    Returns:
        Indices in order, LongTensor, as many as places.
    """
    edges = torch.linspace(0, total, len(places) + 1)
    return (edges[:-1] + places * edges.diff()).long().clamp(max=total - 1)


def at_least_one(**counts: int) -> None:
    """Raise ValueError naming the first count that is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f'{name} must be 1 or more, got {count}')


def _look(x_CTHW: Tensor, views_VF: Tensor) -> Tensor:
    """Views (V, C, F, H, W) of a clip, float32."""
    return x_CTHW[:, views_VF].transpose(0, 1).float()


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
