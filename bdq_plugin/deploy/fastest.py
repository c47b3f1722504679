"""The fastest implementation that a machine has, made ready beside a stream's first frames.

The first frame of a camera does not wait for compilers: a C compiler takes a second for the core,
numba ten for its kernels, each once on a machine, and then one to import. NumPy needs neither.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..camera_form import CameraForm
from .c_core import cached_core
from .moving import Mover


class Fastest(NamedTuple):
    """What a stream runs: the library of the C core, or without numba's kernels, or neither."""

    library: Path | None
    numba: bool


def at_hand() -> Fastest | None:
    """What needs no time to make ready, None where something has to be compiled or imported."""
    library = cached_core(compiles=False)
    return Fastest(library, False) if library else None


def make_ready(form: CameraForm) -> Future[Fastest]:
    """Compile, or import, in a thread: the C core where there is a compiler, else numba's kernels.

    The process does not end before: what was compiled is kept for the next one.
    """
    executor = ThreadPoolExecutor(1, 'make-ready')
    try:
        return executor.submit(_make_ready, form)
    finally:
        executor.shutdown(wait=False)


def _make_ready(form: CameraForm) -> Fastest:
    library = cached_core()
    if library is not None or find_spec('numba') is None:
        return Fastest(library, False)
    from .kernels import compile_kernels

    compile_kernels(form)
    if form.geometry is not None:
        Mover(form.geometry)(np.zeros((2, 4, 1), np.uint8))
    return Fastest(None, True)
