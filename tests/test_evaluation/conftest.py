"""Tiny clips and panels: everything here trains in a second on one core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bdq_plugin.evaluation.settings import Data, Panel

from ..audit_data import dataset_config
from .test_attackers.conftest import FRAMES, make_clips

__all__ = ['make_clips']

RECIPE = dict(first_round=2, max_epochs=2, batch_size=8, lr=0.02, max_shift=1)


@pytest.fixture
def kth_data(synthetic_kth: Any) -> Data:
    """Three synthetic people, six frames of 20 x 16 pixels; protocol ``subsequence``."""
    return Data('kth', dataset_config(synthetic_kth), (110.0,), (38.0,))


@pytest.fixture
def tiny_panel() -> Panel:
    """An action network and two attackers."""
    clip = dict(type='SmallConv3d', in_channels=1, channels=(8, 8), strides=(2, 2))
    networks = dict(
        action=dict(type='ClipAttacker', target='action', backbone=clip, clip_len=4, recipe=RECIPE),
        frame=dict(type='FrameAttacker', backbone=FRAMES, recipe=RECIPE),
        template=dict(type='TemplateAttacker', families=['energy', 'levels']),
    )
    return Panel('tiny', networks, controls=('permuted', 'length'))


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Where an audit writes."""
    return dict(results=tmp_path / 'results', work_dir=tmp_path / 'work')
