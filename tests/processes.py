"""Processes of a test's own without the ten seconds that PyTorch and MMAction2 take to import.

This module imports nothing of either, nor of this package: :func:`fresh` begins without them.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
_FORK = multiprocessing.get_context('fork')
# A Python that has imported PyTorch alone; it forks.
_TORCH = multiprocessing.get_context('forkserver')
_TORCH.set_forkserver_preload(['torch'])


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def play(*command: Any) -> None:
    """Run a program as Python would, in this process."""
    os.chdir(REPOSITORY)
    sys.argv = list(map(str, command))
    runpy.run_path(sys.argv[0], run_name='__main__')


def fork(target: Callable[..., None], *args: Any, ranks: int = 1) -> subprocess.CompletedProcess:
    """Call a function in a fork of this process, or in several as torchrun would."""
    environments: list[dict[str, str]] = [{}]
    if ranks > 1:
        common = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()), WORLD_SIZE=str(ranks))
        common['CUDA_VISIBLE_DEVICES'] = ''
        environments = [dict(common, RANK=str(i), LOCAL_RANK=str(i)) for i in range(ranks)]
    return _run(_FORK, target, args, environments)


def fresh(code: str) -> str:
    """What code prints in a Python that has imported PyTorch, and nothing that stands on it."""
    done = _run(_TORCH, exec, (code, dict(__name__='__main__')), [{}])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _run(
    context: BaseContext,
    target: Callable[..., Any],
    args: tuple[Any, ...],
    environments: list[dict[str, str]],
) -> subprocess.CompletedProcess:
    """A process for each environment. Where one of them fails, the others are killed.

    Returns:
        The exit code of the first that failed, 0 where none did, and what all of them printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ('stdout', 'stderr')]
        started = [
            context.Process(target=_call, args=(target, args, environment, *files))
            for environment in environments
        ]
        for process in started:
            process.start()
        code, left = 0, {process.sentinel: process for process in started}
        while left and not code:
            ended = [left.pop(sentinel) for sentinel in wait(left)]
            for process in ended:
                process.join()
            code = next((process.exitcode for process in ended if process.exitcode), 0)
        for process in left.values():
            process.kill()
            process.join()
        printed = [file.read_text() if file.exists() else '' for file in files]
    return subprocess.CompletedProcess([target, *args], code, *printed)


def _call(
    target: Callable[..., Any],
    args: tuple[Any, ...],
    environment: dict[str, str],
    stdout: Path,
    stderr: Path,
) -> None:
    os.environ.update(environment, OMP_NUM_THREADS='1')
    for number, path in ((1, stdout), (2, stderr)):
        with open(path, 'ab') as file:
            os.dup2(file.fileno(), number)
        setattr(sys, path.name, open(number, 'w', buffering=1, closefd=False))  # noqa: SIM115
    target(*args)


def asked_of_torchrun(folder: Path, script: str, *arguments: Any) -> list[str]:
    """The words that a shell script of ``tools/`` gives to torchrun, which is not started."""
    torchrun, words = folder / 'torchrun', folder / 'words.txt'
    torchrun.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{words}"\n')
    torchrun.chmod(0o755)
    environment = dict(os.environ, PATH=f'{folder}{os.pathsep}{os.environ["PATH"]}')
    command = ['bash', script, *map(str, arguments)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return words.read_text().splitlines()
