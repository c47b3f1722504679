"""From a config file to a running Runner; ``tools/train.py`` and ``tools/test.py`` call this."""

from __future__ import annotations

import inspect
import os
import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from .. import compat
from ..atomic_files import write_json
from ..models.encoder_source import describe_by_checkpoint
from ..paths import find_config
from ..version import __version__
from .checkpoints import choose_checkpoint, continue_after_restart
from .first_checks import check_start, check_testing, check_training, explained, read_recipe
from .heads import follow_data
from .hooks import innermost
from .loops import unwrap
from .lost_ranks import name_lost_ranks, set_timeout
from .recipe import SWITCHES, apply_switches
from .workdir import claim_work_dir

# Keys that MMEngine's Runner reads from the whole config, beside its own arguments.
_RUNNER_READS = (
    'custom_imports',
    'find_unused_parameters',
    'sync_bn',
    'compile',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'runner_type',
)
# Those that MMEngine adds by itself, unless they are None.
_OWN_HOOKS_OF_RUNNER = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


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
        path: the config file, or a recipe's name; see :func:`~bdq_plugin.paths.find_config`.
        options: ``KEY=VALUE`` replacements; see :func:`apply_switches` for the top-level ones.
        work_dir: output folder; ``work_dirs/NAME`` where neither this nor the config has one.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        seed: replaces ``randomness.seed``.
        amp: mixed precision in every optimiser wrapper.
        resume: ``'auto'`` or a checkpoint.

    Raises:
        FileNotFoundError: no such config.
        ValueError: ``amp`` without a GPU, or an option that acts nowhere.
    """
    cfg = read_recipe(find_config(path))
    options = options or {}
    switches = {k: v for k, v in options.items() if k.split('.')[0] in SWITCHES}
    apply_switches(cfg, switches)
    # Last, so that an option which names a place inside the config beats a switch.
    places = {k: v for k, v in options.items() if k not in switches}
    _check_names(cfg, places)
    cfg.merge_from_dict(places)
    _check_hooks(cfg)
    cfg.launcher = launcher
    if work_dir or not cfg.get('work_dir'):
        cfg.work_dir = work_dir or os.path.join('work_dirs', Path(path).stem)
    if seed is not None:
        cfg.randomness = dict(cfg.get('randomness', {}), seed=seed)
    if resume == 'auto':
        cfg.resume = 'auto'
    elif resume:
        cfg.resume, cfg.load_from = True, resume
    if amp:
        _use_amp(cfg)
    return cfg


def _check_names(cfg: Config, options: dict[str, Any]) -> None:
    """See that each option names a part of the config, or one that MMEngine's Runner reads."""
    known = {*cfg.keys(), *SWITCHES, *inspect.signature(Runner.__init__).parameters, *_RUNNER_READS}
    for option in options:
        name = option.split('.')[0]
        if name not in known:
            near = ', '.join(get_close_matches(name, known)) or 'none is near'
            raise ValueError(f'{option}: nothing reads {name}; is it one of these: {near}?')
        _check_place(cfg, option)


def _check_place(cfg: Config, option: str) -> None:
    """See that an option does not make a part that is called almost as one of the config's."""
    place = cfg
    for name in option.split('.')[:-1]:
        if isinstance(place, list):
            if not name.isdigit() or int(name) >= len(place):
                raise ValueError(f'{option}: {name} is none of its places 0 to {len(place) - 1}')
            place = place[int(name)]
        elif name in place:
            place = place[name]
        else:
            near = get_close_matches(name, place, n=1, cutoff=0.8)
            if near:
                raise ValueError(f'{option}: the config has no {name} there; is it {near[0]}?')
            return
        if not isinstance(place, dict | list):
            return


def _check_hooks(cfg: Config) -> None:
    """Leave out the hooks that are turned off by None, and see that the others are hooks."""
    hooks = cfg.get('default_hooks') or {}
    for name, hook in list(hooks.items()):
        if hook is None and name not in _OWN_HOOKS_OF_RUNNER:
            del hooks[name]
        elif isinstance(hook, dict) and 'type' not in hook:
            raise ValueError(
                f'default_hooks.{name} names no hook of this config, which has '
                f'{", ".join(other for other in hooks if other != name)}; to add one, give its type'
            )


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
        if wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise ValueError(f'--amp knows no mixed precision for a wrapper of type {wrapper.type}')
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def build_runner(cfg: Config) -> Runner:
    """Build the Runner, on GPUs or, where there are none, on the CPU with gloo."""
    choose_checkpoint(cfg)
    if cfg.get('load_from'):
        describe_by_checkpoint(cfg.model, cfg.load_from)
    follow_data(cfg)
    if compat.prepare_distributed(cfg.launcher) == 'gloo':
        set_timeout(cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
        # MMEngine would hand the wrapper a GPU index.
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    wait_for_a_name(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def wait_for_a_name(cfg: Config) -> None:
    """Let the second pass in which this process has begun another run of this name.

    MMEngine names a run by its config and the second, and gives runs of one name one logger,
    message hub and visualizer: the second run's log would stand in the first one's folder.
    """
    stem = Path(cfg.filename).stem if cfg.filename else None
    prefix = cfg.get('experiment_name') or stem

    def name() -> str:
        stamp = time.strftime('%Y%m%d_%H%M%S')
        return f'{prefix}_{stamp}' if prefix else stamp

    while MessageHub.check_instance_created(name()):
        time.sleep(0.02)


def train(cfg: Config) -> dict[str, float]:
    """Train to the last epoch, then test the networks as they are and write ``metrics.json``.

    Returns:
        The metrics of the test split, empty where the config has none.

    Raises:
        WorkDirInUse: another run writes into ``cfg.work_dir``.
    """
    check_start(cfg)
    with claim_work_dir(cfg.work_dir, cfg.launcher), name_lost_ranks(cfg.launcher):
        continue_after_restart(cfg)
        runner = build_runner(cfg)
        check_training(runner)
        runner.test_loop  # noqa: B018  (built now, so that its faults cost no epoch)
        start = time.time()
        with explained(runner):
            runner.train()
        seconds = time.time() - start
        if cfg.get('test_dataloader') is None:
            return {}
        metrics = runner.test()
        if is_main_process():
            write_json(Path(cfg.work_dir) / 'metrics.json', describe_run(runner, metrics, seconds))
        return metrics


def describe_run(runner: Runner, metrics: dict[str, float], seconds: float) -> dict[str, Any]:
    """What a result needs beside its figures to be understood and repeated.

    Args:
        runner: a run at its end.
        metrics: of the test split.
        seconds: wall time of training in this process, without what came before a resume.
    """
    model, dataset = unwrap(runner.model), innermost(runner.test_dataloader.dataset)
    encoder = getattr(getattr(model, 'data_preprocessor', None), 'encoder', None)
    return dict(
        config=Path(runner.cfg.filename or '').name,
        metrics=metrics,
        dataset=type(dataset).__name__,
        protocol=getattr(dataset, 'protocol', None),
        fold=getattr(dataset, 'fold', None),
        test_clips=len(dataset),
        encoder=None if encoder is None else dict(encoder.config, **encoder.extra_state()),
        alpha=getattr(model, 'alpha', None),
        epochs=runner.max_epochs,
        seed=runner.seed,
        train_seconds=round(seconds, 1),
        processes=get_world_size(),
        threads=torch.get_num_threads(),
        versions=dict(
            bdq_plugin=__version__, torch=torch.__version__, mmengine=mmengine.__version__
        ),
    )


def test(cfg: Config, checkpoint: str, out: str | None = None) -> dict[str, float]:
    """Test a checkpoint and write the metrics.

    Args:
        cfg: from :func:`load_config`.
        checkpoint: a checkpoint of training.
        out: JSON file for the metrics, written whole or not at all.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: it is of another network, or was trained for other classes.
    """
    if not os.path.isfile(checkpoint):
        raise FileNotFoundError(f'no checkpoint {checkpoint}; train first: tools/train.py CONFIG')
    check_start(cfg)
    cfg.load_from, cfg.resume = checkpoint, False
    runner = build_runner(cfg)
    check_testing(runner, checkpoint)
    with explained(runner):
        metrics = runner.test()
    if out and is_main_process():
        write_json(out, metrics)
    return metrics
