"""From the start of the process to the first frame of codes outside of it.

``tools/encode_video.py`` reads a camera's H.264 and writes a JPEG a frame to standard output. The
clock runs from before the process is started until the first byte is read from it; the processor
time is that of the process until then. Where it is on the way to a fast implementation (see
:mod:`bdq_plugin.deploy.fastest`), the first frame is NumPy's.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bdq_plugin import markdown
from bdq_plugin.paths import TOOLS

from .harness import machine
from .writing import write_source

ENCODER = 'bdq_hard_ixmas_take3'


@contextmanager
def caches(compiler: bool) -> Iterator[dict[str, str]]:
    """An environment whose caches of compiled code are empty, with a C compiler or without."""
    with tempfile.TemporaryDirectory() as folder:
        keys = 'XDG_CACHE_HOME', 'NUMBA_CACHE_DIR'
        places = {key: str(Path(folder, key)) for key in keys}
        yield {**os.environ, **places, 'PATH': os.environ['PATH'] if compiler else folder}


def start(video: Path, environment: dict[str, str], size: tuple[str, ...]) -> dict[str, float]:
    """Seconds to the first byte, on the clock and of the processor; the process runs to its end."""
    command = [sys.executable, str(TOOLS / 'encode_video.py'), ENCODER, str(video), '-']
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, '--codec', 'mjpeg', *size],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        first = process.stdout.read(1)
        clock, processor = time.perf_counter() - began, processor_seconds(process.pid)
        process.communicate()
    if not first or process.returncode:
        raise RuntimeError(f'{" ".join(command)} exits with {process.returncode}')
    return dict(clock=clock, processor=processor)


def processor_seconds(pid: int) -> float:
    """Of a process that runs, its threads included."""
    numbers = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf('SC_CLK_TCK')


def study(quick: bool = False) -> dict[str, Any]:
    """Each case ``starts`` times: the first with empty caches, the others behind it."""
    starts, sides, count = (1, (48, 64), 4) if quick else (5, (480, 640), 60)
    size = ('--full-size', '--colour')
    cases = {
        'C compiler': (True, ()),
        'numba, no C compiler': (False, ()),
        'C compiler, frames at full size, colour': (True, size),
    }
    if shutil.which('cc') is None:
        cases = {name: case for name, case in cases.items() if not case[0]}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder, 'camera.mp4')
        write_source(video, *sides, count)
        for name, (compiler, options) in cases.items():
            with caches(compiler) as environment:
                first = start(video, environment, options)
                later = [start(video, environment, options) for _ in range(starts)]
            rows.append(dict(case=name, caches='empty', starts=1, **rounded([first])))
            rows.append(dict(case=name, caches='warm', starts=starts, **rounded(later)))
    return dict(
        **machine(),
        source=f'{sides[1]}x{sides[0]}, H.264',
        encoder=ENCODER,
        rows=rows,
    )


def rounded(times: list[dict[str, float]]) -> dict[str, float]:
    """Medians, and the least time on the clock."""
    return dict(
        processor_s=round(statistics.median(t['processor'] for t in times), 2),
        clock_s=round(statistics.median(t['clock'] for t in times), 2),
        best_clock_s=round(min(t['clock'] for t in times), 2),
    )


def table(document: dict[str, Any]) -> str:
    """Seconds in Markdown."""
    rows = [
        [
            row['case'],
            row['caches'],
            row['starts'],
            row['processor_s'],
            row['clock_s'],
            row['best_clock_s'],
        ]
        for row in document['rows']
    ]
    head = ['machine with', 'caches', 'starts', 'processor, s', 'clock, s', 'best clock, s']
    note = (
        f'{document["cpu"]}, a shared machine (load {document["load_average_at_start"]}); '
        f'{document["source"]} to the size of training, or as said; encoder '
        f'`{document["encoder"]}`. Medians.'
    )
    return f'{markdown.table(head, rows)}\n\n{note}'
