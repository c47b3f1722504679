#!/usr/bin/env python3
"""SIGKILL a tiny training again and again; the resumed run must end with the same weights.

    python tools/stress/kill_training.py --kills 50

Half of the kills fall at a random moment of the run, imports included; the other half fall while a
checkpoint is written, as soon as its temporary file is there. Each run is resumed at once with
``tools/train.py --resume``. One that reaches its end is compared with an uninterrupted one, weights
and optimisers bit for bit; then the next begins, until all kills are spent.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.engine.launch import write_json
from bdq_plugin.version import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
# A hundred times what the run takes: it hangs.
PATIENCE = 100
TEMPORARY = '.*.pth.*.tmp'  # see bdq_plugin/engine/checkpoints.py


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--workers', type=int, default=1, help='of the data loader')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--out', default=REPOSITORY / 'results' / 'stress' / 'kill_training.json')
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix='bdq_kill_') as folder:
        root = Path(folder)
        make_kth(root / 'data', subjects=3, scenarios=1, frames_per_sequence=20, size=(80, 60))
        prepare_kth(root / 'data' / 'videos', root / 'kth.csv', root / 'data' / '00sequences.txt')
        command = command_for(root, args.epochs, args.workers)
        start = time.monotonic()
        check(run(command, root / 'whole'), root / 'whole')
        seconds = time.monotonic() - start
        whole = state_of(root / 'whole', args.epochs)
        print(f'an uninterrupted run takes {seconds:.0f} s', flush=True)

        kills: list[dict[str, Any]] = []
        runs: list[dict[str, Any]] = []
        while len(kills) < args.kills:
            work_dir = root / f'run{len(runs)}'
            before = len(kills)
            while True:
                writing = moments.random() < 0.5
                moment = moments.uniform(0, seconds)
                if len(kills) == args.kills:
                    moment, writing = None, False
                finished, kill = kill_one(command, work_dir, moment, writing, seconds)
                if finished:
                    break
                kills.append(dict(kill, run=len(runs)))
                print(f'kill {len(kills)}: {kill}', flush=True)
            equal = equals(whole, state_of(work_dir, args.epochs))
            runs.append(dict(kills=len(kills) - before, equal=equal))
            print(f'run {len(runs)}: {runs[-1]}', flush=True)
            shutil.rmtree(work_dir)
    lost = sum(not each['equal'] for each in runs)
    write_json(
        args.out,
        dict(
            kills=len(kills),
            kills_while_writing=sum(each['temporary_file'] for each in kills),
            runs=len(runs),
            lost=lost,
            epochs=args.epochs,
            workers=args.workers,
            seed=args.seed,
            seconds_uninterrupted=round(seconds, 1),
            each_run=runs,
            each_kill=kills,
            versions=dict(bdq_plugin=__version__, torch=torch.__version__),
        ),
    )
    print(f'{len(kills)} kills, {len(runs)} runs, {lost} lost: {args.out}')
    sys.exit(bool(lost))


def command_for(root: Path, epochs: int, workers: int) -> list[str]:
    """``tools/train.py`` on the demo's config, brought down to seconds."""
    options = {
        'ann_file': root / 'kth.csv',
        'data_root': root / 'data' / 'videos',
        'max_epochs': epochs,
        'default_hooks.checkpoint.backend_args.backend': 'atomic',
        'model.privacy.cls_head.num_classes': 3,
        'train_dataloader.num_workers': workers,
    }
    for split in ('train', 'val', 'test'):
        options[f'{split}_dataloader.dataset.subjects'] = '[person01,person02,person03]'
        options[f'{split}_dataloader.dataset.indices'] = 16
        options[f'{split}_dataloader.batch_size'] = 8
    for split in ('val', 'test'):
        options[f'{split}_dataloader.num_workers'] = 0
    return [
        sys.executable,
        'tools/train.py',
        'configs/bdq_demo.py',
        '--resume',
        '--cfg-options',
        *(f'{key}={value}' for key, value in options.items()),
    ]


def run(command: list[str], work_dir: Path) -> subprocess.Popen:
    """Start a training; its output goes to a file beside its work directory."""
    with open(f'{work_dir}.log', 'ab') as log:
        return subprocess.Popen(
            [*command[:3], '--work-dir', str(work_dir), *command[3:]],
            cwd=REPOSITORY,
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def check(process: subprocess.Popen, work_dir: Path) -> None:
    """Wait for the end of a run that nobody kills."""
    if process.wait() != 0:
        raise SystemExit(f'a run failed by itself:\n{Path(f"{work_dir}.log").read_text()[-4000:]}')


def kill_one(
    command: list[str], work_dir: Path, moment: float | None, writing: bool, seconds: float
) -> tuple[bool, dict[str, Any]]:
    """Start or resume the run and kill it.

    Args:
        command: from :func:`command_for`.
        work_dir: of the run.
        moment: seconds after the start; None lets it end.
        writing: kill as soon as a checkpoint is being written instead, whenever that is.
        seconds: what the whole run takes.

    Returns:
        Whether it reached its end before, and what happened.
    """
    present = sorted(path.name for path in work_dir.glob('epoch_*.pth'))
    # What the last kill left behind; the run removes it.
    leftovers = set(work_dir.glob(TEMPORARY))
    process = run(command, work_dir)
    start = time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - start
        temporary = writing and not leftovers.issuperset(work_dir.glob(TEMPORARY))
        if moment is not None and (temporary if writing else elapsed >= moment):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            half = not leftovers.issuperset(work_dir.glob(TEMPORARY))
            return False, dict(seconds=round(elapsed, 2), resumed_from=present, temporary_file=half)
        if elapsed > PATIENCE * max(seconds, 1):
            process.kill()
            raise SystemExit(f'{work_dir} hangs')
        time.sleep(0.0005 if writing else 0.01)
    check(process, work_dir)
    return True, {}


def state_of(work_dir: Path, epoch: int) -> dict[str, Any]:
    """Weights and optimisers at the end of a run."""
    checkpoint = torch.load(work_dir / f'epoch_{epoch}.pth', weights_only=False)
    return {key: checkpoint[key] for key in ('state_dict', 'optimizer', 'param_schedulers')}


def equals(a: Any, b: Any) -> bool:
    """Bit for bit, at any depth."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equals(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equals, a, b))
    return a == b


if __name__ == '__main__':
    main()
