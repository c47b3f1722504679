"""Tiny clips of differences, in which a texture on the moving part names the person, or nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bdq_plugin.evaluation.clips import Clips

PEOPLE, ACTIONS = 3, 2
SIZE = (16, 12)
FRAMES = dict(type='SmallConv2d', in_channels=1, channels=(8, 16), strides=(2, 2))
RECIPE = dict(first_round=8, max_epochs=56, batch_size=8, lr=0.01, max_shift=1)


@pytest.fixture
def make_clips() -> Callable[..., Clips]:
    """Clips of 5 to 7 frames (1, T, 16, 12), each with two encodings: a patch that moves.

    It moves down or across, which tells the action. Its stripes, lying, standing or crossed, tell
    the person where ``leak``. The second encoding has other noise.
    """

    def make(count: int = 24, seed: int = 0, leak: bool = True) -> Clips:
        generator = torch.Generator().manual_seed(seed)
        people = torch.arange(count) % PEOPLE
        actions = torch.arange(count) // PEOPLE % ACTIONS
        clear, values = [], []
        for index in range(count):
            looks = (
                int(people[index]) if leak else int(torch.randint(PEOPLE, (), generator=generator))
            )
            # A length that goes with the person would name it.
            frames = _moving_patch(looks, int(actions[index]), 5 + index // PEOPLE % 3)
            clear.append(((frames * 60 + 120).to(torch.uint8),) * 2)
            values.append(
                tuple(
                    (frames + 0.1 * torch.randn(frames.shape, generator=generator)).half()
                    for _ in range(2)
                )
            )
        return Clips(
            values=tuple(values),
            clear=tuple(clear),
            actions=actions,
            identities=people,
            persons=tuple(f'p{person}' for person in people.tolist()),
            ids=tuple(f'{seed}/{i}' for i in range(count)),
            groups=tuple(f'{seed}/{i // 2}' for i in range(count)),
            units=tuple(str(i // PEOPLE % 2) for i in range(count)),
            lengths=torch.tensor([x[0].shape[1] for x in values]),
        )

    return make


def _moving_patch(looks: int, action: int, frames: int) -> Tensor:
    clip = torch.zeros(1, frames, *SIZE)
    y, x = torch.meshgrid(torch.arange(6), torch.arange(6), indexing='ij')
    patch = [y // 2 % 2, x // 2 % 2, (y // 2 + x // 2) % 2][looks] * 2.0 - 1
    for t in range(frames):
        top, left = (1 + t, 3) if action else (5, t % 6)
        clip[0, t, top : top + 6, left : left + 6] = patch
    return clip
