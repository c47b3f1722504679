"""A finished tiny run, made once, and audit results as the audit writes them."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from mmengine.registry import init_default_scope

from bdq_plugin.encoders import build_encoder
from bdq_plugin.engine.launch import train
from bdq_plugin.evaluation.results import Cell, write_json

from ..audit_data import made_result
from ..game import game_config

FRAMES = dict(interval=2, num_clips=2, num_frames=3)


@pytest.fixture(scope='session')
def finished_run(synthetic_kth, tmp_path_factory) -> Path:
    """The work directory of a game of two epochs with three iterations."""
    init_default_scope('mmaction')
    work_dir = tmp_path_factory.mktemp('runs') / 'game'
    options = {'max_epochs': 2, 'train_cfg.val_interval': 1, 'train_cfg.val_begin': 1}
    options.update({f'default_hooks.encoded_frames.{k}': v for k, v in FRAMES.items()})
    train(game_config(synthetic_kth, work_dir, **options))
    return work_dir


@pytest.fixture
def write_audit(tmp_path: Path):
    """Write the result of one cell: 20 clips of 5 people and 2 actions, so many of them right."""

    def write(name: str, action: int, subject: int, output: str = 'soft', **options) -> Path:
        result = made_result(subject, action=action, encoder=build_encoder('bdq'), **options)
        result['cell'] |= dict(encoder=name, output=output)
        path = Cell(**result['cell']).path(tmp_path / 'results')
        write_json(path, result)
        return path

    return write


@pytest.fixture(autouse=True)
def close_figures():
    """Figures that a test left open."""
    yield
    plt.close('all')
