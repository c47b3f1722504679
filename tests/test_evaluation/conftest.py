"""Tiny clips and panels: everything here trains in a second on one core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bdq_plugin.evaluation.clips import Clips
from bdq_plugin.evaluation.settings import Data, Panel

PEOPLE, ACTIONS = 3, 2
FRAMES = dict(type='SmallConv2d', in_channels=1, channels=(8, 8), strides=(2, 2))
RECIPE = dict(epochs=8, batch_size=8, lr=0.02, max_shift=1)


@pytest.fixture
def make_clips() -> Callable[..., Clips]:
    """Clips (N, 1, 4, 12, 8): a bright band tells the person, a drift of light the action."""

    def make(count: int = 24, seed: int = 0, leak: bool = True) -> Clips:
        generator = torch.Generator().manual_seed(seed)
        people = torch.arange(count) % PEOPLE
        actions = torch.arange(count) // PEOPLE % ACTIONS
        values = 0.1 * torch.randn(count, 1, 4, 12, 8, generator=generator)
        values += torch.linspace(-1, 1, 4)[None, None, :, None, None] * (
            2.0 * actions.view(-1, 1, 1, 1, 1) - 1
        )
        if leak:
            for clip, person in zip(values, people.tolist(), strict=True):
                clip[..., 4 * person : 4 * person + 4, :] += 1 + 2 * person
        clear = (values * 20 + 100).clamp(0, 255).to(torch.uint8)
        return Clips(
            values,
            clear,
            actions,
            people,
            tuple(f'{seed}/{i}' for i in range(count)),
            tuple(f'{seed}/{i // 2}' for i in range(count)),
        )

    return make


@pytest.fixture
def kth_data(synthetic_kth: Any) -> Data:
    """Three synthetic people in two scenarios, 4 frames of 20 x 16 pixels."""
    dataset = dict(
        type='KTHDataset',
        ann_file=str(synthetic_kth.annotation),
        data_prefix=dict(video=str(synthetic_kth.root / 'videos')),
        subjects=['person01', 'person02', 'person03'],
        actions=['boxing', 'walking'],
        pipeline=[
            dict(type='ClipInit'),
            dict(type='UniformSample', clip_len=4, test_mode=True),
            dict(type='ClipDecode'),
            dict(type='Resize', scale=(20, 16), keep_ratio=False),
            dict(type='ToGray'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackSubjectInputs'),
        ],
    )
    return Data('kth', dataset, (110.0,), (38.0,))


@pytest.fixture
def tiny_panel() -> Panel:
    """An action network and an attacker."""
    clip = dict(type='SmallConv3d', in_channels=1, channels=(8, 8), strides=(2, 2))
    networks = dict(
        action=dict(type='ClipAttacker', target='action', backbone=clip, recipe=RECIPE),
        frame=dict(type='FrameAttacker', backbone=FRAMES, recipe=RECIPE),
    )
    return Panel('tiny', networks)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Where an audit writes."""
    return dict(results=tmp_path / 'results', work_dir=tmp_path / 'work')
