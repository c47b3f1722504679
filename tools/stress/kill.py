#!/usr/bin/env python3
"""SIGKILL a tool again and again: started anew each time, it ends as if nobody had killed it.

    python tools/stress/kill.py training --kills 50

Kills fall at random moments of the run; where a job shows when it writes a file, half of them fall
just then. After each one nothing may be half written, and the same command is run again. A run that
reaches its end is compared with an uninterrupted one, bit for bit; then the next begins, until all
kills are spent. The tools run in forks of this process: what is killed is their work, not the
seconds in which Python imports PyTorch.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from jobs import JOBS, Job, equals

from bdq_plugin.atomic_files import write_json
from bdq_plugin.version import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
# Seconds without an end: it hangs. Other programs may have the machine.
PATIENCE = 900
# Seconds in which the survivors of a run of several processes must have stopped: its timeout of 60,
# ten for the roll call, and room for a busy machine.
BOUND = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=JOBS)
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--out', help='by default results/stress/kill_WHAT.json')
    args = parser.parse_args()
    torch.set_num_threads(1)  # a fork has no other threads than the one that forks
    with tempfile.TemporaryDirectory(prefix='bdq_kill_') as folder:
        job = JOBS[args.what](Path(folder))
        result = kill_repeatedly(job, args.kills, random.Random(args.seed))
    out = args.out or REPOSITORY / 'results' / 'stress' / f'kill_{args.what}.json'
    versions = dict(bdq_plugin=__version__, torch=torch.__version__)
    write_json(out, dict(what=args.what, seed=args.seed, **result, versions=versions))
    summary = ', '.join(f'{result[key]} {key}' for key in ('kills', 'runs', 'lost', 'half_written'))
    print(f'{args.what}: {summary}: {out}')
    sys.exit(bool(result['lost'] or result['half_written']))


def kill_repeatedly(job: Job, kills: int, moments: random.Random) -> dict[str, Any]:
    """Spend all kills on a job.

    Returns:
        ``kills``, ``kills_while_writing``, ``runs``, ``lost`` (runs that failed, or ended
        otherwise than an uninterrupted one), ``half_written`` (kills that left such a file),
        ``leftovers`` (hidden files of runs that have ended), and the particulars.
    """
    ended, record = play(job, job.root / 'whole', None, False)
    assert ended
    seconds = record['cpu_seconds']
    whole = job.product(job.root / 'whole')
    print(f'an uninterrupted run takes {seconds:.1f} s of processor time', flush=True)
    done: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    while len(done) < kills:
        folder, before = job.root / f'run{len(runs)}', len(done)
        ended = False
        while not ended:
            writing = job.temporary is not None and moments.random() < 0.5
            moment = moments.uniform(0, seconds) if len(done) < kills else None
            ended, kill = play(job, folder, moment, writing, moments)
            if ended is False:
                faults = job.faults(folder, whole) if folder.exists() else []
                done.append(dict(run=len(runs), **kill, half_written=faults))
                print(f'kill {len(done)}: {done[-1]}', flush=True)
            if ended is None:
                break
        equal = bool(ended) and equals(whole, job.product(folder))
        leftovers = [p.name for p in folder.rglob('.*') if p.name not in ('.lock', '.started')]
        runs.append(dict(kills=len(done) - before, equal=equal, leftovers=leftovers))
        print(f'run {len(runs)}: {runs[-1]}', flush=True)
        shutil.rmtree(folder)
    return dict(
        kills=len(done),
        kills_while_writing=sum(kill['while_writing'] for kill in done),
        runs=len(runs),
        lost=sum(not run['equal'] for run in runs),
        half_written=sum(bool(kill['half_written']) for kill in done),
        leftovers=sum(len(run['leftovers']) for run in runs),
        processes=job.processes,
        cpu_seconds_uninterrupted=round(seconds, 1),
        each_run=runs,
        each_kill=done,
    )


def play(
    job: Job,
    folder: Path,
    moment: float | None,
    writing: bool,
    moments: random.Random | None = None,
) -> tuple[bool | None, dict[str, Any]]:
    """Start the job, or start it again, and kill it.

    Args:
        job: what to run.
        folder: of this run.
        moment: in seconds of the processor time of its first process, since other programs may
            have the machine; None lets it end.
        writing: kill as soon as a file is being written instead, whenever that is.
        moments: decides which of several processes are killed.

    Returns:
        Whether it reached its end, None where it failed by itself; and the particulars.
    """
    # What the last kill left behind is no sign of writing.
    old = temporaries(job, folder)
    processes = start_all(job, folder)
    start, used = time.monotonic(), 0.0
    while any(process.is_alive() for process in processes):
        used = cpu_seconds(processes[0]) or used
        now = temporaries(job, folder) - old if writing else used >= (moment or 0)
        if moment is not None and now:
            kill = kill_some(processes, moments)
            found = bool(temporaries(job, folder) - old)
            return False, dict(cpu_seconds=round(used, 2), while_writing=found, **kill)
        if time.monotonic() - start > PATIENCE:
            kill_some(processes, None)
            print(f'hangs:\n{tail(folder)}', flush=True)
            return None, {}
        time.sleep(0.002 if writing else 0.005)
    if any(process.exitcode for process in processes):
        print(f'failed by itself:\n{tail(folder)}', flush=True)
        return None, {}
    return True, dict(cpu_seconds=used)


def cpu_seconds(process: BaseProcess) -> float:
    """Processor time that a process has used; 0 where it has gone."""
    try:
        fields = Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def kill_some(processes: list[BaseProcess], moments: random.Random | None) -> dict[str, Any]:
    """Kill all processes, or one of several: then the others must stop by themselves."""
    chosen = processes
    if moments is not None and len(processes) > 1 and moments.random() < 0.5:
        chosen = [moments.choice(processes)]
    for process in chosen:
        os.kill(process.pid, signal.SIGKILL) if process.is_alive() else None
    start = time.monotonic()
    for process in processes:
        process.join(max(0, BOUND - (time.monotonic() - start)))
    hanging = [rank for rank, process in enumerate(processes) if process.is_alive()]
    for rank in hanging:
        processes[rank].kill()
        processes[rank].join()
    if len(processes) == 1:
        return {}
    return dict(
        ranks=[processes.index(process) for process in chosen],
        seconds_to_stop=round(time.monotonic() - start, 2),
        ranks_that_hung=hanging,
    )


def start_all(job: Job, folder: Path) -> list[BaseProcess]:
    """Start the job's processes; their output goes to a file beside its folder."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free.getsockname()[1]))
    processes = []
    for rank in range(job.processes):
        environment = {}
        if job.processes > 1:
            ranks = dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(job.processes))
            environment = {**address, **ranks}
        context = multiprocessing.get_context('fork')
        arguments = (job.commands(folder), Path(f'{folder}.log'), environment)
        processes.append(context.Process(target=run_commands, args=arguments))
        processes[-1].start()
    return processes


def run_commands(commands: list[list[str]], log: Path, environment: dict[str, str]) -> None:
    """Run tools in this process as ``python TOOL ...`` would, one after the other."""
    with open(log, 'ab', buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(fd, 'w', buffering=1, closefd=False) for fd in (1, 2))  # noqa: SIM115
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    for command in commands:
        sys.argv = command
        try:
            runpy.run_path(command[0], run_name='__main__')
        except SystemExit as end:
            if end.code:
                print(end.code, flush=True)
                os._exit(1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)


def temporaries(job: Job, folder: Path) -> set[Path]:
    """Files that are being written, or were when the run was killed."""
    if job.temporary is None:
        return set()
    locks = ('.lock', '.started')
    return {path for path in folder.glob(job.temporary) if path.name not in locks}


def tail(folder: Path) -> str:
    """The end of a run's output."""
    return Path(f'{folder}.log').read_text(errors='replace')[-3000:]


if __name__ == '__main__':
    main()
