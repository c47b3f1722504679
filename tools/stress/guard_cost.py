#!/usr/bin/env python3
"""Measure what share of a training's processor time the guards take.

    python tools/stress/guard_cost.py

On the demo's small networks, where a step is short and the share is therefore large.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from jobs import Training
from mmengine.config import Config

from bdq_plugin.engine import guards
from bdq_plugin.engine.launch import build_runner, load_config, write_json
from bdq_plugin.version import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
GUARDS = (
    guards.LossGuard,
    guards.ThresholdGuard,
    guards.DeadEncoderGuard,
    guards.AttackerGuard,
)
# All that a runner, an optimiser or an encoder calls of a guard.
CALLS = (
    *('before_train_epoch', 'before_train_iter', 'after_train_iter', 'after_train_epoch'),
    *('_inspect', '_listen'),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--out', default=REPOSITORY / 'results' / 'stress' / 'guard_cost.json')
    args = parser.parse_args()
    spent = dict.fromkeys((guard.__name__ for guard in GUARDS), 0.0)
    for guard in GUARDS:
        for name in set(CALLS) & set(vars(guard)):
            setattr(guard, name, timed(getattr(guard, name), spent, guard.__name__))
    with tempfile.TemporaryDirectory(prefix='bdq_cost_') as folder:
        runner = build_runner(config(Path(folder), args.epochs))
        start = time.process_time()
        runner.train()
        total = time.process_time() - start
    write_json(
        args.out,
        dict(
            percent=round(100 * sum(spent.values()) / total, 2),
            percent_of_each={name: round(100 * each / total, 3) for name, each in spent.items()},
            iterations=runner.iter,
            cpu_seconds=round(total, 2),
            versions=dict(bdq_plugin=__version__, torch=torch.__version__),
        ),
    )
    print(f'guards took {sum(spent.values()):.3f} of {total:.2f} s: {args.out}')


def config(root: Path, epochs: int) -> Config:
    """The training that is killed elsewhere, longer and without a test."""
    job = Training(root)
    options = {key: str(value) for key, value in job.options().items() if 'random' not in key}
    for key in ('num_workers', 'batch_size', 'indices', 'subjects', 'num_classes', 'val_interval'):
        options = {name: value for name, value in options.items() if not name.endswith(key)}
    options.update({'max_epochs': epochs, 'train_dataloader.num_workers': 0})
    cfg = load_config('configs/bdq_demo.py', options=options, work_dir=str(root / 'run'))
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.subjects = ['person01', 'person02', 'person03']
    cfg.model.privacy.cls_head.num_classes = 3
    return cfg


def timed(call: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    """The same call, with its processor time added to ``spent[name]``."""

    @wraps(call)
    def measured(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            spent[name] += time.process_time() - start

    return measured


if __name__ == '__main__':
    main()
