"""From a config file to a running Runner; ``tools/train.py`` and ``tools/test.py`` call this."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from .. import compat
from .recipe import apply_switches


def load_config(
    path: str,
    *,
    options: dict[str, Any] | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    seed: int | None = None,
    amp: bool = False,
    resume: str | None = None,
) -> Config:
    """Read a config and merge what the command line says.

    Args:
        path: the config file.
        options: ``KEY=VALUE`` replacements; top-level switches are carried through afterwards.
        work_dir: output folder; ``work_dirs/NAME`` where neither this nor the config has one.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        seed: replaces ``randomness.seed``.
        amp: mixed precision in every optimiser wrapper.
        resume: ``'auto'`` or a checkpoint.

    Raises:
        FileNotFoundError: no such config.
        ValueError: ``amp`` without a GPU.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'no config {path}; the recipes are in configs/')
    cfg = Config.fromfile(path)
    if options:
        cfg.merge_from_dict(options)
    apply_switches(cfg)
    cfg.launcher = launcher
    if work_dir or not cfg.get('work_dir'):
        cfg.work_dir = work_dir or os.path.join('work_dirs', Path(path).stem)
    if seed is not None:
        cfg.randomness = dict(cfg.get('randomness', {}), seed=seed)
    if resume:
        cfg.resume = True
        cfg.load_from = None if resume == 'auto' else resume
    if amp:
        _use_amp(cfg)
    return cfg


def _use_amp(cfg: Config) -> None:
    """Turn every optimiser wrapper, alone or one a phase, into its mixed-precision form."""
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU; leave it out on the CPU')
    wrappers = (
        [cfg.optim_wrapper]
        if 'optimizer' in cfg.optim_wrapper
        else [wrapper for wrapper in cfg.optim_wrapper.values() if isinstance(wrapper, dict)]
    )
    for wrapper in wrappers:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def build_runner(cfg: Config) -> Runner:
    """Build the Runner, on GPUs or, where there are none, on the CPU with gloo."""
    if compat.prepare_distributed(cfg.launcher) == 'gloo':
        # MMEngine would hand the wrapper a GPU index.
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    return Runner.from_cfg(cfg)


def train(cfg: Config) -> Runner:
    """Train from the first or the resumed epoch to the last."""
    runner = build_runner(cfg)
    runner.train()
    return runner


def test(cfg: Config, checkpoint: str, out: str | None = None) -> dict[str, float]:
    """Test a checkpoint and write the metrics.

    Args:
        cfg: from :func:`load_config`.
        checkpoint: a checkpoint of training.
        out: JSON file for the metrics, written whole or not at all.

    Raises:
        FileNotFoundError: no such checkpoint.
    """
    if not os.path.isfile(checkpoint):
        raise FileNotFoundError(f'no checkpoint {checkpoint}; train first: tools/train.py CONFIG')
    cfg.load_from, cfg.resume = checkpoint, False
    metrics = build_runner(cfg).test()
    if out and is_main_process():
        write_json(out, metrics)
    return metrics


def write_json(path: str | os.PathLike, document: dict[str, Any]) -> None:
    """Write JSON to a temporary name and rename it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_text(json.dumps(document, indent=2, default=float) + '\n')
    os.replace(temporary, path)
