"""The command lines of ``tools/train.py`` and ``tools/test.py``: MMAction2's, and a little more."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from mmengine.config import Config, DictAction

from .launch import load_config


def parse_training(argv: list[str] | None = None) -> Namespace:
    """The arguments of ``tools/train.py``."""
    parser = _parser('Train the game, or a network on a frozen encoder')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint, or from the last one of the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision for every optimiser')
    parser.add_argument('--no-validate', action='store_true', help='no validation while training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rates by the batch of all processes over auto_scale_lr',
    )
    parser.add_argument('--seed', type=int, help="replaces the config's randomness.seed")
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='another seed in each process'
    )
    parser.add_argument('--deterministic', action='store_true', help='deterministic kernels only')
    return _parse(parser, argv)


def parse_test(argv: list[str] | None = None) -> Namespace:
    """The arguments of ``tools/test.py``."""
    parser = _parser('Test a checkpoint on the test split')
    parser.add_argument('checkpoint', help='a checkpoint of tools/train.py')
    parser.add_argument('--out', help='write the metrics to this JSON file')
    parser.add_argument('--dump', help='write the predictions to this pickle file')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='write pictures of the predictions to this folder')
    parser.add_argument('--interval', type=int, default=1, help='show one clip in so many')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that a window stays')
    return _parse(parser, argv)


def config_of(args: Namespace) -> Config:
    """The config that a command line of either tool asks for.

    Raises:
        FileNotFoundError: no such config.
        ValueError: an option that acts nowhere in this config.
    """
    given = vars(args)
    cfg = load_config(
        args.config,
        options=args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        seed=given.get('seed'),
        amp=given.get('amp', False),
        resume=given.get('resume'),
    )
    if given.get('no_validate'):
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if given.get('auto_scale_lr'):
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError(
                '--auto-scale-lr: this config does not say which batch its learning rate is for; '
                'write auto_scale_lr = dict(base_batch_size=...)'
            )
        cfg.auto_scale_lr.enable = True
    for name in ('diff_rank_seed', 'deterministic'):
        if given.get(name):
            cfg.randomness = dict(cfg.get('randomness') or {}, **{name: True})
    if given.get('dump'):
        _dump_predictions(cfg, args.dump)
    if given.get('show') or given.get('show_dir'):
        _show_predictions(cfg, args)
    return cfg


def _parser(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description)
    parser.add_argument('config', help='a Python config, such as configs/bdq_kth.py')
    return parser


def _parse(parser: ArgumentParser, argv: list[str] | None) -> Namespace:
    parser.add_argument('--work-dir', help='outputs; default work_dirs/NAME_OF_CONFIG')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE ...')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    try:
        args = parser.parse_args(argv)
    except RecursionError:  # what MMEngine's DictAction makes of a dict
        parser.error('--cfg-options reads no {...}: write KEY.PART=VALUE for each part')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def _dump_predictions(cfg: Config, path: str) -> None:
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump writes a pickle, so its name ends with .pkl, got {path}')
    metrics = cfg.test_evaluator
    metrics = list(metrics) if isinstance(metrics, list | tuple) else [metrics]
    cfg.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=path)]


def _show_predictions(cfg: Config, args: Namespace) -> None:
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need a hook that draws: write default_hooks = '
            "dict(visualization=dict(type='PredictionsHook'))"
        )
    hook.update(
        enable=True,
        show=args.show,
        out_dir=args.show_dir,
        interval=args.interval,
        wait_time=args.wait_time,
    )
