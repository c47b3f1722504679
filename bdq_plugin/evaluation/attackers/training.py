"""The light trainer of the audit: small networks on clips that are in memory already."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..progress import track


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, a cosine to zero, flips and shifts.

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips of a step.
        lr: learning rate at the start.
        weight_decay: of AdamW.
        flip: mirror half of the clips.
        max_shift: move each clip by up to so many pixels; its edge is replicated.
    """

    epochs: int = 40
    batch_size: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.01
    flip: bool = True
    max_shift: int = 4

    def __post_init__(self) -> None:
        for name in ('epochs', 'batch_size', 'lr'):
            if not getattr(self, name) > 0:
                raise ValueError(f'recipe: {name} must be above 0, got {getattr(self, name)}')
        if self.max_shift < 0:
            raise ValueError(f'recipe: max_shift is 0 or more pixels, got {self.max_shift}')

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Recipe:
        """Build from a dict; raises ValueError for a name that a recipe does not have."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(config) - set(known))
        if unknown:
            raise ValueError(f'recipe: unknown {", ".join(unknown)}; it has {", ".join(known)}')
        return cls(**config)


def seed_everything(seed: int, name: str) -> None:
    """Seed torch for one network, so that its result does not depend on which came before it."""
    torch.manual_seed(zlib.crc32(f'{seed}/{name}'.encode()))


def augment(clips_NCTHW: Tensor, recipe: Recipe) -> Tensor:
    """Mirror and shift each clip of a batch at random, all its frames alike."""
    count, height, width = len(clips_NCTHW), *clips_NCTHW.shape[-2:]
    if recipe.flip:
        mirrored = torch.rand(count) < 0.5
        clips_NCTHW = clips_NCTHW.clone()
        clips_NCTHW[mirrored] = clips_NCTHW[mirrored].flip(-1)
    if not recipe.max_shift:
        return clips_NCTHW
    margin = recipe.max_shift
    padded = F.pad(clips_NCTHW, (margin, margin, margin, margin, 0, 0), mode='replicate')
    offsets = torch.randint(2 * margin + 1, (count, 2)).tolist()
    return torch.stack(
        [
            clip[..., y : y + height, x : x + width]
            for clip, (y, x) in zip(padded, offsets, strict=True)
        ]
    )


def batches(count: int, batch_size: int) -> Iterator[Tensor]:
    """Indices of all clips in random order. A last batch of one is left out: it has no variance."""
    for batch in torch.randperm(count).split(batch_size):
        if len(batch) > 1:
            yield batch


def classification_loss(logits_NTK: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of labels (N,), or binary cross-entropy of attributes (N, K), over all T."""
    frames = logits_NTK.shape[1]
    logits, targets = logits_NTK.flatten(0, 1), targets.repeat_interleave(frames, 0)
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets)


def fit(
    network: nn.Module,
    step: Callable[[Tensor, Tensor], Tensor],
    values_NCTHW: Tensor,
    targets: Tensor,
    recipe: Recipe,
    augmented: bool = True,
) -> None:
    """Train a network in place; it is left in evaluation mode.

    Args:
        network: whose trainable parameters are optimised.
        step: ``(clips, targets of these clips) -> loss``.
        values_NCTHW: training clips.
        targets: one row a clip.
        recipe: see :class:`Recipe`.
        augmented: whether the recipe's flips and shifts are applied; a network whose targets are
            pictures applies them to both itself.
    """
    device = next(network.parameters()).device
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, recipe.lr, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * len(list(batches(len(values_NCTHW), recipe.batch_size)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    name = type(network).__name__.lstrip('_')
    for _ in track(range(recipe.epochs), f'training {name}', 'epochs'):
        for index in batches(len(values_NCTHW), recipe.batch_size):
            clips = values_NCTHW[index]
            clips = augment(clips, recipe) if augmented else clips
            loss = step(clips.to(device), targets[index].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()


@torch.no_grad()
def predict(network: nn.Module, values_NCTHW: Tensor, multi_label: bool = False) -> np.ndarray:
    """Probabilities (N, T, K) of a network that maps clips to logits (N, T, K)."""
    network.eval()
    device = next(network.parameters()).device
    logits = torch.cat([network(batch.to(device)).cpu() for batch in values_NCTHW.split(16)])
    return (logits.sigmoid() if multi_label else logits.softmax(-1)).numpy()
