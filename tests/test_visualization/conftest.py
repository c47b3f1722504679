"""A finished tiny run, made once, and audit results as the audit writes them."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from mmengine.registry import init_default_scope

import bdq_plugin
from bdq_plugin.encoders import build_encoder
from bdq_plugin.engine.launch import train
from bdq_plugin.evaluation.results import FORMAT, FORMAT_VERSION

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


def _network(figure: str, hits: list[bool], chance: float, learned: bool = True) -> dict:
    share = sum(hits) / len(hits)
    interval = dict(low=0.0, high=1.0, method='as pooled')
    return {
        'figure': figure,
        figure: share,
        'interval': interval,
        'cluster_interval': interval,
        'train_accuracy': 0.9 if learned else 0.3,
        'learned': learned,
        'chance': chance,
        'majority': chance,
        'extras': {},
    }


@pytest.fixture
def write_audit(tmp_path: Path):
    """Write the result of one cell: 20 clips of 4 people and 2 actions, so many of them right."""

    def write(
        name: str,
        action: int,
        subject: int,
        output: str = 'soft',
        learned: bool = True,
        fold: int = 1,
        data: str = 'ixmas',
    ) -> Path:
        truth = dict(action=[i % 2 for i in range(20)], identity=[i % 4 for i in range(20)])
        right = dict(
            action=[i < action for i in range(20)], identity=[i < subject for i in range(20)]
        )
        answers = {
            target: [t if hit else t + 1 for t, hit in zip(truth[target], hits, strict=True)]
            for target, hits in right.items()
        }
        encoder = build_encoder('bdq')
        path = (
            tmp_path
            / 'results'
            / data
            / 'take'
            / f'fold{fold}'
            / f'{name}-{output}-seed0-quick.json'
        )
        document = {
            'format': FORMAT,
            'version': FORMAT_VERSION,
            'cell': dict(data=data, protocol='take', fold=fold, encoder=name, output=output, seed=0,
                         panel='quick'),
            'figures': {
                'action': _network('clip_top1', right['action'], 0.5),
                'frame': _network('clip_top1', right['identity'], 0.25, learned),
            },
            'encoder': {
                'type': type(encoder).__name__,
                'config': encoder.config,
                'state': {k: v.tolist() for k, v in encoder.state_dict().items()},
            },
            'protocol_audit': dict(
                clips=dict(train=40, test=20), shared={}, totals={}, identity_defined=True,
                findings=['a finding <about> the split'],
            ),
            'panel': {'action': {'target': 'action'}, 'frame': {}},
            'versions': dict(bdq_plugin=bdq_plugin.__version__),
            'test': dict(ids=[f'{fold}/{i}' for i in range(20)],
                         groups=[f'{fold}/{i // 2}' for i in range(20)], **truth),
            'answers': {
                'action': {'predicted': answers['action']},
                'frame': {'predicted': answers['identity']},
            },
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture(autouse=True)
def close_figures():
    """Figures that a test left open."""
    yield
    plt.close('all')
