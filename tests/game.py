"""A tiny game on synthetic KTH, for tests that need a real Runner."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

from bdq_plugin.engine.launch import build_runner, load_config

from .processes import REPOSITORY

SUBJECTS = ('person01', 'person02', 'person03')


def game_options(synthetic_kth: Any, **options: Any) -> dict[str, Any]:
    """``--cfg-options`` that bring the demo down to seconds."""
    small = {
        'ann_file': str(synthetic_kth.annotation),
        'data_root': str(synthetic_kth.root / 'videos'),
        'max_epochs': 1,
        'default_hooks.logger.interval': 1,
        'log_processor.window_size': 1,
    }
    for split in ('train', 'val', 'test'):
        dataset = f'{split}_dataloader.dataset'
        small[f'{dataset}.subjects'] = list(SUBJECTS)
        small[f'{dataset}.indices'] = 24
        small[f'{split}_dataloader.num_workers'] = 0
        small[f'{split}_dataloader.batch_size'] = 8
    return {**small, 'model.privacy.cls_head.num_classes': len(SUBJECTS), **options}


def game_config(synthetic_kth: Any, work_dir: Path, **options: Any) -> Config:
    """The config of a game of one epoch with three iterations."""
    return load_config(
        str(REPOSITORY / 'configs' / 'bdq_demo.py'),
        options=game_options(synthetic_kth, **options),
        work_dir=str(work_dir),
        seed=3,
    )


class Interrupted(Exception):
    """A run that was stopped from outside."""


class Interruption(Hook):
    """Stops a run before an epoch, counted from 0, begins."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise Interrupted


def interrupt(cfg: Config, epoch: int) -> None:
    """Train until so many epochs are done, and no further."""
    runner = build_runner(cfg)
    runner.register_hook(Interruption(epoch))
    with pytest.raises(Interrupted):
        runner.train()
