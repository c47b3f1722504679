#!/usr/bin/env python3
"""Kill one of two training processes: torchrun starts both again, and they lose nothing.

    python tools/stress/restart_training.py --kills 2

``MAX_RESTARTS=1 tools/dist_train.sh`` trains; once it has written a checkpoint, a rank is killed.
What torchrun's restart ends with is compared with an undisturbed run, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from jobs import TrainingOfTwo, equals

from bdq_plugin.atomic_files import write_json
from bdq_plugin.version import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0, help='of ranks and moments')
    parser.add_argument(
        '--out', default=REPOSITORY / 'results' / 'stress' / 'restart_training.json'
    )
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix='bdq_restart_') as folder:
        job = Restarted(Path(folder))
        run(job, job.root / 'whole', None, 0)
        whole = job.product(job.root / 'whole')
        runs = []
        for number in range(args.kills):
            work_dir, rank = job.root / f'run{number}', moments.randrange(2)
            outcome = run(job, work_dir, rank, moments.uniform(0, 1))
            equal = outcome['exit_code'] == 0 and equals(whole, job.product(work_dir))
            runs.append(dict(outcome, rank=rank, equal=equal))
            print(f'run {number + 1}: {runs[-1]}', flush=True)
    lost = sum(not each['equal'] for each in runs)
    versions = dict(bdq_plugin=__version__, torch=torch.__version__)
    result = dict(kills=len(runs), lost=lost, processes=2, seed=args.seed, each_run=runs)
    write_json(args.out, dict(result, versions=versions))
    print(f'{len(runs)} kills, {lost} lost: {args.out}')
    sys.exit(bool(lost))


class Restarted(TrainingOfTwo):
    """As torchrun's workers run it, without ``--resume``: that a restart goes on is the point."""

    def options(self) -> dict[str, Any]:
        # Its hook is registered in kill.py's forks alone.
        return {k: v for k, v in super().options().items() if 'random_state' not in k}

    def product(self, folder: Path) -> Any:
        checkpoint = torch.load(folder / f'epoch_{self.epochs}.pth', weights_only=False)
        return {key: checkpoint[key] for key in ('state_dict', 'optimizer', 'param_schedulers')}


def run(job: Restarted, work_dir: Path, rank: int | None, after: float) -> dict[str, Any]:
    """Train through torchrun; kill a rank ``after`` seconds from the first checkpoint on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH']
    environment = dict(os.environ, OMP_NUM_THREADS='1', MAX_RESTARTS='1', PORT=str(port), PATH=path)
    options = [f'{key}={value}' for key, value in job.options().items()]
    command = ['bash', 'tools/dist_train.sh', 'configs/bdq_demo.py', '2', '--work-dir', work_dir]
    log = Path(f'{work_dir}.log')
    with open(log, 'wb') as file:
        process = subprocess.Popen(
            [*map(str, command), '--cfg-options', *options],
            cwd=REPOSITORY,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    start, at = time.monotonic(), None
    while process.poll() is None:
        if time.monotonic() - start > PATIENCE:
            process.kill()
            raise SystemExit(f'hangs:\n{log.read_text(errors="replace")[-3000:]}')
        if rank is not None and at is None and (work_dir / 'last_checkpoint').is_file():
            time.sleep(after)
            os.kill(worker(process.pid, rank), signal.SIGKILL)
            at = sorted(path.name for path in work_dir.glob('epoch_*.pth'))
        time.sleep(0.02)
    text = log.read_text(errors='replace')
    if process.returncode:
        print(f'failed:\n{text[-6000:]}', flush=True)
    named = f'local_rank: {rank}' in text or f'rank {rank} of 2' in text
    return dict(exit_code=process.returncode, checkpoints_at_kill=at, rank_named=named)


def worker(torchrun: int, rank: int) -> int:
    """The process of a rank: its environment says so."""
    for child in Path(f'/proc/{torchrun}/task/{torchrun}/children').read_text().split():
        if f'\0RANK={rank}\0' in Path(f'/proc/{child}/environ').read_text():
            return int(child)
    raise SystemExit(f'torchrun has no process of rank {rank}')


if __name__ == '__main__':
    main()
