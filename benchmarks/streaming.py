"""Speed of the streaming encoder and of the C core, beside OpenCV's blur and subtraction.

Everything runs on one core, in one thread, in turns, so that what else the machine does meets all
alike, and the time is the processor's, not the clock's. A figure is the best and the median over
the rounds of the mean of a few frames; ratios are medians of ratios within a round. Frames are
noise, the worst case for caches and branches (the encoder has no branches), and all 16 levels
occur.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np

from bdq_plugin import markdown
from bdq_plugin.camera_form import UNITS, IntegerLevels, integer_kernel
from bdq_plugin.deploy import CameraForm, StreamingEncoder
from bdq_plugin.deploy.c_core import FLAGS, CStream, compile_core
from bdq_plugin.geometry import SECRET_BYTES, Geometry, draw, places_of

from .harness import cpu_model, one_core

SIZES = {'640x480 colour': (480, 640, 3), '1920x1080 colour': (1080, 1920, 3)}
SIZES |= {'640x480 grey': (480, 640), '1920x1080 grey': (1080, 1920)}
TARGETS = {'640x480 colour': 500, '1920x1080 colour': 90}
SIGMA = 1.5
# That of the preset ``blocks_geometry``.
GEOMETRY = Geometry(stretch=0.25, shift=0.125, mirror=True, warp=0.04)
BLOCK = 8


def form_with(levels: int, limit: float = 0.25) -> CameraForm:
    """The preset ``bdq_hard`` with so many levels."""
    step = 2 * limit / (levels - 1)
    thresholds = tuple(int((-limit + (k + 0.5) * step) * UNITS) for k in range(levels - 1))
    return CameraForm(integer_kernel(SIGMA), 'replicate', True, thresholds, 0.0, -limit, step)


def blocks_and_geometry() -> CameraForm:
    """The preset ``blocks_geometry``."""
    levels = IntegerLevels.of_dead_zone(3, dead_zone=0.03, step=0.06)
    return CameraForm((256,), 'replicate', True, dither=0.0, block=BLOCK, geometry=GEOMETRY,
                      **asdict(levels))  # fmt: skip


class OpenCVFloor:
    """8-bit blur and absolute difference: the least that any encoder of this kind does."""

    def __init__(self) -> None:
        self.previous = None

    def __call__(self, frame: np.ndarray) -> None:
        blurred = cv2.GaussianBlur(frame, (5, 5), SIGMA, borderType=cv2.BORDER_REPLICATE)
        if self.previous is not None:
            cv2.absdiff(blurred, self.previous)
        self.previous = blurred


class OpenCVExact:
    """Blur and signed difference without rounding, in float32; still no quantisation."""

    def __init__(self) -> None:
        self.previous = None
        self.kernel = np.array(integer_kernel(SIGMA), np.float32)

    def __call__(self, frame: np.ndarray) -> None:
        blurred = cv2.sepFilter2D(
            frame, cv2.CV_32F, self.kernel, self.kernel, borderType=cv2.BORDER_REPLICATE
        )
        if self.previous is not None:
            cv2.subtract(blurred, self.previous)
        self.previous = blurred


def mean_time(step: Callable[[np.ndarray], object], frames: list[np.ndarray], count: int) -> float:
    start = time.thread_time()
    for i in range(count):
        step(frames[i % len(frames)])
    return (time.thread_time() - start) / count


def measure(
    shape: tuple[int, ...], rounds: int, c_core: Path | None
) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(4)]
    rivals = {
        'streaming encoder, 16 levels': StreamingEncoder(form_with(16), compiled=True),
        'streaming encoder, 2 levels': StreamingEncoder(form_with(2), compiled=True),
        'OpenCV 8-bit blur and absdiff (floor)': OpenCVFloor(),
        'OpenCV float32 blur and subtract': OpenCVExact(),
    }
    moved = {'16 levels, geometry': replace(form_with(16), geometry=GEOMETRY)}
    moved['blocks and geometry'] = blocks_and_geometry()
    secret = bytes(range(SECRET_BYTES))
    for name, form in moved.items():
        rivals[f'streaming encoder, {name}'] = StreamingEncoder(form, compiled=True, secret=secret)
    if c_core is not None:
        for levels in (16, 2):
            rivals[f'C core, {levels} levels'] = CStream(form_with(levels), c_core)
        places = places_of(draw(GEOMETRY, secret), *shape[:2])
        for name, form in moved.items():
            rivals[f'C core, {name}'] = partial(CStream(form, c_core), places=places)
    count = max(2, 5_000_000 // frames[0].size)
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for step in rivals.values():
        mean_time(step, frames, 3)
    for _ in range(rounds):
        for name, step in rivals.items():
            times[name].append(mean_time(step, frames, count))
    plain = StreamingEncoder(form_with(16), compiled=False)
    times['plain NumPy, 16 levels'] = [mean_time(plain, frames, 2) for _ in range(2)]
    floor = times['OpenCV 8-bit blur and absdiff (floor)']
    return {
        name: {
            'best_fps': round(1 / min(taken), 1),
            'median_fps': round(1 / statistics.median(taken), 1),
            'time_over_floor': round(
                statistics.median(a / b for a, b in zip(taken, floor, strict=False)), 2
            ),
        }
        for name, taken in times.items()
    }


def memory(shape: tuple[int, ...]) -> dict[str, float]:
    """Bytes that a stream holds between frames, and in a step, in units of one uint8 frame."""
    stream = StreamingEncoder(form_with(16), compiled=True)
    frame = np.zeros(shape, np.uint8)
    stream(frame)
    rows = sum(array.nbytes for array in stream._kernel._rows)
    return {
        'state_frames': round(stream._previous.nbytes / frame.nbytes, 3),
        'rows_frames': round(rows / frame.nbytes, 3),
        'codes_frames': 1.0,
    }


def study(quick: bool = False) -> dict[str, Any]:
    """Frames a second and memory; ``quick`` reads small frames, once."""
    rounds, sizes = (1, {'40x32 colour': (32, 40, 3)}) if quick else (15, SIZES)
    cv2.setNumThreads(1)
    compiler = shutil.which('cc')
    with one_core(), tempfile.TemporaryDirectory() as folder:
        c_core = compile_core(Path(folder, 'bdq.so'), compiler) if compiler else None
        start = time.perf_counter()
        StreamingEncoder(form_with(16), compiled=True)(np.zeros((8, 8, 3), np.uint8))
        first = time.perf_counter() - start
        load = os.getloadavg()[0]
        return {
            'cpu': cpu_model(),
            'cores_used': 1,
            'load_average_at_start': round(load, 2),
            'versions': {
                'python': platform.python_version(),
                'numpy': np.__version__,
                'opencv': cv2.__version__,
                'numba': numba.__version__,
            },
            'c_compiler': f'{c_compiler(compiler)} {" ".join(FLAGS)}' if compiler else None,
            'rounds': rounds,
            'first_frame_seconds': round(first, 2),
            'frames_per_second': {
                name: measure(shape, rounds, c_core) for name, shape in sizes.items()
            },
            'targets_fps': TARGETS,
            'memory': {name: memory(shape) for name, shape in sizes.items()},
            'peak_resident_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def c_compiler(path: str) -> str:
    """What the compiler calls itself."""
    done = subprocess.run([path, '--version'], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def table(document: dict[str, Any]) -> str:
    """Frames a second in Markdown, and what was measured where."""
    rows = [
        [size, what, row['median_fps'], row['best_fps'], row['time_over_floor']]
        for size, measured in document['frames_per_second'].items()
        for what, row in measured.items()
    ]
    head = ['frames', 'what', 'frames/s, median', 'best', 'time over the floor']
    versions = ', '.join(f'{name} {version}' for name, version in document['versions'].items())
    note = (
        f'{document["cpu"]}, one core, {versions}, C core by {document["c_compiler"]}; processor '
        f'time, {document["rounds"]} rounds on a shared machine '
        f'(load {document["load_average_at_start"]}).'
    )
    return f'{markdown.table(head, rows)}\n\n{note}'
