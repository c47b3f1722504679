"""What every study shares: the machine it ran on, timing in turns, and results on disk."""

from __future__ import annotations

import atexit
import ctypes
import functools
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / 'results'


def machine(device: str = 'cpu') -> dict[str, Any]:
    """The machine and the versions, as they stand in every result."""
    found = {
        'cpu': cpu_model(),
        'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None,
        'threads': torch.get_num_threads(),
        'load_average_at_start': round(os.getloadavg()[0], 2),
        'python': platform.python_version(),
        'torch': torch.__version__,
    }
    if device.startswith('cuda'):
        found |= {'gpu': torch.cuda.get_device_name(device), 'cuda': torch.version.cuda}
    return found


def cpu_model() -> str:
    """Name of the processor, as far as the system tells."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def time_in_turns(
    steps: dict[str, Callable[[], object]], rounds: int, device: str = 'cpu', warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each step in each round; all steps take their turn in every round.

    So whatever else the machine does meets all of them alike, and ratios are taken within a round.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_index in range(-warm_up, rounds):
        for name, step in steps.items():
            taken = seconds_of(step, device)
            if round_index >= 0:
                times[name].append(taken)
    return times


def seconds_of(step: Callable[[], object], device: str = 'cpu') -> float:
    """Seconds that one step takes by the clock."""
    _synchronize(device)
    start = time.perf_counter()
    step()
    _synchronize(device)
    return time.perf_counter() - start


@functools.cache
def has_cpp_compiler() -> bool:
    """Whether torch.compile finds its C++ compiler, which CPUs need; it is asked for its version.

    Never raises. The first call takes a few seconds, to import torch's compiler.
    """
    try:
        from torch._inductor.cpp_builder import get_cpp_compiler

        get_cpp_compiler()
    except Exception:  # none of torch's private names is promised to stay
        return False
    return True


def forget_compiled() -> None:
    """Let torch.compile begin anew, so that it can be timed; it is not enough to build a new model.

    What it compiled is for the number of threads at that time, and it does not look whether that
    has changed. Files go to a new folder, removed only at the end of this process: later
    compilations may include headers from there.
    """
    torch.compiler.reset()
    folder = tempfile.mkdtemp(prefix='bdq_compiled_')
    os.environ['TORCHINDUCTOR_CACHE_DIR'] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def compare(times: dict[str, list[float]], reference: str) -> dict[str, dict[str, float]]:
    """Median and best milliseconds, and how many times as fast as the reference (median ratio)."""
    return {
        name: {
            'median_ms': round(1e3 * statistics.median(taken), 3),
            'best_ms': round(1e3 * min(taken), 3),
            'speed_up': round(
                statistics.median(a / b for a, b in zip(times[reference], taken, strict=True)), 2
            ),
        }
        for name, taken in times.items()
    }


def peak_memory_mib(step: Callable[[], object], repeats: int = 2) -> float:
    """MiB that a step adds to the peak of a process of its own (resident set, CPU).

    The process is a fork: a backward pass fails in it where the first of this process was inside
    torch.compile, which starts autograd's threads. Run a plain one before.
    """
    context = multiprocessing.get_context('fork')
    pipe, far = context.Pipe(duplex=False)
    process = context.Process(target=_measure_peak, args=(step, repeats, far))
    process.start()
    far.close()
    peak = pipe.recv()
    process.join()
    return peak


def _measure_peak(step: Callable[[], object], repeats: int, pipe: Any) -> None:
    # OpenMP's threads do not survive a fork, and waiting for them would never end.
    torch.set_num_threads(1)
    # Memory that the parent freed but kept would be used first, and not be seen.
    if hasattr(libc := ctypes.CDLL(None), 'malloc_trim'):
        libc.malloc_trim(0)
    # A fork's peak begins at its parent's: the kernel is told to start anew.
    Path('/proc/self/clear_refs').write_text('5')
    before = _resident_mib()
    for _ in range(repeats):
        step()
    pipe.send(round(_peak_mib() - before, 1))


def _resident_mib() -> float:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _peak_mib() -> float:
    status = Path('/proc/self/status').read_text()
    line = next(line for line in status.splitlines() if line.startswith('VmHWM'))
    return int(line.split()[1]) / 2**10


def _synchronize(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


@contextmanager
def one_core() -> Iterator[None]:
    """Within it, this process and those that it starts share one core, whatever they may start."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def rows_to_table(head: list[str], rows: list[list[object]]) -> str:
    """A table of Markdown."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def write_result(name: str, document: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write ``NAME.json``: a temporary name first, then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{name}.json'
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps(document, indent=2) + '\n')
    os.replace(temporary, path)
    return path
