"""How the networks of the audit are trained: to the end, in rounds, each twice as long.

A round is AdamW with a cosine from the full learning rate to zero; the next begins at the full rate
again (SGDR: Loshchilov and Hutter, ICLR 2017). After each the network is tried on the training
clips as they are. It is done when they are learned, or when a round as long as all before it
together changed nothing: a fixed count of epochs would stop some attackers before they learn, and
their failure would be mistaken for privacy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...progress import Progress

# A curve is flat where a round brings fewer of the training clips, and less of the loss, than this.
FLAT_ACCURACY, FLAT_LOSS = 0.02, 0.05


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        first_round: epochs of the first round; each later one has twice those of the one before.
        max_epochs: no round begins that would end beyond so many epochs in all.
        learned: share of the training clips at which it is done.
        batch_size: clips of a step.
        lr: learning rate at the start of each round.
        weight_decay: of AdamW.
        flip: mirror half of the clips.
        max_shift: move each clip by up to so many pixels of what the network sees; its edge is
            replicated.
    """

    first_round: int = 30
    max_epochs: int = 450
    learned: float = 0.9
    batch_size: int = 16
    lr: float = 1e-3
    weight_decay: float = 0.01
    flip: bool = True
    max_shift: int = 2

    def __post_init__(self) -> None:
        for name in ('first_round', 'lr'):
            if not getattr(self, name) > 0:
                raise ValueError(f'recipe: {name} must be above 0, got {getattr(self, name)}')
        if self.batch_size < 2:
            raise ValueError(f'recipe: batch_size must be 2 or more clips, got {self.batch_size}')
        if self.max_epochs < self.first_round:
            raise ValueError(
                f'recipe: max_epochs={self.max_epochs} ends before first_round={self.first_round}'
            )
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

    def rounds(self) -> Iterator[int]:
        """Epochs of each round."""
        length, total = self.first_round, 0
        while total + length <= self.max_epochs:
            yield length
            length, total = 2 * length, total + length


@dataclass(frozen=True)
class Trial:
    """How a network did on its training clips, without augmentation.

    Attributes:
        accuracy: in [0, 1]; 0 for a network whose answers are not right or wrong.
        loss: mean over clips.
    """

    accuracy: float
    loss: float


@dataclass(frozen=True)
class Training:
    """How training went: the last trial, epochs in all, and whether more would change nothing."""

    trial: Trial
    epochs: int
    converged: bool


@contextmanager
def seeded(seed: int, device: str | torch.device = 'cpu') -> Iterator[None]:
    """Draw from ``seed`` within; the caller's generators are as before after it."""
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        torch.manual_seed(seed)
        yield


def train(
    network: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    count: int,
    recipe: Recipe,
    attempt: Callable[[], Trial],
    what: str,
) -> Training:
    """Train a network in place; it is left in evaluation mode.

    Args:
        network: whose trainable parameters are optimised.
        loss_of: the loss of the clips with these indices.
        count: training clips.
        recipe: see :class:`Recipe`.
        attempt: tries the network, in evaluation mode, on the training clips.
        what: the network's name, for the progress shown.
    """
    epochs, last = 0, Trial(0.0, float('inf'))
    with Progress(f'training {what}', recipe.max_epochs, 'epochs at most') as progress:
        for length in recipe.rounds():
            network.train()
            for _ in _round(network, loss_of, count, recipe, length):
                epochs += 1
                progress.update(epochs, f'{last.accuracy:.0%} learned')
            network.eval()
            with torch.no_grad():
                trial = attempt()
            if trial.accuracy >= recipe.learned or _flat(last, trial):
                return Training(trial, epochs, converged=True)
            last = trial
    return Training(last, epochs, converged=False)


def _round(
    network: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    count: int,
    recipe: Recipe,
    length: int,
) -> Iterator[None]:
    """Train for ``length`` epochs, and yield after each."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, recipe.lr, weight_decay=recipe.weight_decay)
    steps = length * len(list(batches(count, recipe.batch_size, shuffled=False)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(length):
        for index in batches(count, recipe.batch_size):
            loss = loss_of(index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        yield


def _flat(before: Trial, now: Trial) -> bool:
    return (
        now.accuracy < before.accuracy + FLAT_ACCURACY and now.loss > (1 - FLAT_LOSS) * before.loss
    )


def batches(count: int, batch_size: int, shuffled: bool = True) -> Iterator[Tensor]:
    """Indices of all clips. A last batch of one is left out: it has no variance."""
    order = torch.randperm(count) if shuffled else torch.arange(count)
    for batch in order.split(batch_size):
        if len(batch) > 1:
            yield batch


def augment(clips: Tensor, recipe: Recipe) -> Tensor:
    """Mirror and shift each clip (N, ..., H, W) of a batch at random, all its frames alike."""
    count, height, width = len(clips), *clips.shape[-2:]
    if recipe.flip:
        mirrored = torch.rand(count) < 0.5
        clips = clips.clone()
        clips[mirrored] = clips[mirrored].flip(-1)
    margin = recipe.max_shift
    if not margin:
        return clips
    frames = clips.flatten(1, -3)
    padded = F.pad(frames, (margin,) * 4, mode='replicate')
    offsets = torch.randint(2 * margin + 1, (count, 2)).tolist()
    moved = [
        clip[..., y : y + height, x : x + width]
        for clip, (y, x) in zip(padded, offsets, strict=True)
    ]
    return torch.stack(moved).view(clips.shape)


def classification_loss(logits_MLK: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of labels (M,), or binary cross-entropy of attributes (M, K), over all L."""
    answers = logits_MLK.shape[1]
    logits, targets = logits_MLK.flatten(0, 1), targets.repeat_interleave(answers, 0)
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets)
