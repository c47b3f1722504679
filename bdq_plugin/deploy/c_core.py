"""The encoder in C99 (``c/bdq.h``, ``c/bdq.c``): its form as a header, and the core in Python.

The core needs no library and no allocation, for cameras that run no Python. Here it is compiled and
called for tests, benchmarks and streams.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..atomic_files import atomic_path
from ..camera_form import CameraForm

# bdq.h, bdq.c and vectors.json: frames and their codes, for ports to other languages.
C_FOLDER = Path(__file__).with_name('c')
FORM_VERSION, MAX_TAPS, MAX_THRESHOLDS = 1, 255, 255
# The compiler's vector instructions are where the speed comes from.
FLAGS = ('-std=c99', '-O3', '-march=native')


def flat_form(form: CameraForm) -> np.ndarray:
    """A form as ``bdq_form`` of bdq.h: int32 of shape (515,).

    Raises:
        ValueError: the encoder dithers (noise is the camera's to draw, from a source that nobody
            can guess), averages blocks, counts levels of the size of a value, or moves frames.
    """
    if form.block > 1 or form.magnitude or form.geometry is not None:
        raise ValueError(
            'an encoder with blocks, events or a geometric dither has no form in C yet: use '
            'bdq_plugin.deploy.StreamingEncoder'
        )
    if form.dither:
        raise ValueError(
            'an encoder with dither has no form in C: use bdq_plugin.deploy.StreamingEncoder, or '
            'build the encoder with dither=0'
        )
    taps = _without_outer_zeros(form.kernel)
    limits = np.iinfo(np.int32)
    thresholds = np.clip(form.thresholds, limits.min, limits.max)
    flags = form.padding == 'zeros', form.difference
    flat = np.zeros(5 + MAX_TAPS + MAX_THRESHOLDS, np.int32)
    flat[:5] = FORM_VERSION, len(taps), *flags, len(thresholds)
    flat[5 : 5 + len(taps)] = taps
    flat[5 + MAX_TAPS :][: len(thresholds)] = thresholds
    return flat


def _without_outer_zeros(kernel: Sequence[int]) -> Sequence[int]:
    """The same blur; taps of whole numbers with sum 256 are then 255 at most."""
    while len(kernel) > 1 and kernel[0] == 0:
        kernel = kernel[1:-1]
    return kernel


def form_header(form: CameraForm) -> str:
    """``bdq_form.h``: the constant ``BDQ_FORM`` for bdq.h."""
    flat = flat_form(form)
    version, num_taps, zeros, difference, num_thresholds = flat[:5]
    taps = ', '.join(map(str, flat[5:][:num_taps]))
    # The least number of 32 bits has no literal in C.
    numbers = ['INT32_MIN' if t == -(2**31) else str(t) for t in flat[5 + MAX_TAPS :]]
    lines = [numbers[i : min(i + 8, num_thresholds)] for i in range(0, num_thresholds, 8)]
    thresholds = ',\n        '.join(', '.join(line) for line in lines)
    return (
        '/* A trained encoder for bdq.h. A code stands for low + code * step of full intensity:\n'
        f' * low {form.low!r}, step {form.step!r}. */\n'
        '#ifndef BDQ_FORM_H\n#define BDQ_FORM_H\n\n#include "bdq.h"\n\n'
        'static const bdq_form BDQ_FORM = {\n'
        f'    {version}, {num_taps}, {zeros}, {difference}, {num_thresholds},\n'
        f'    {{{taps}}},\n    {{\n        {thresholds}\n    }}\n}};\n\n#endif\n'
    )


def compile_core(
    library: str | os.PathLike, compiler: str = 'cc', flags: Sequence[str] = FLAGS
) -> Path:
    """Compile bdq.c to a shared library for this machine.

    Args:
        library: file to write.
        compiler: a C99 compiler that takes GCC's options.

    Raises:
        FileNotFoundError: no such compiler.
        ValueError: it refuses; with what it says.
    """
    command = [compiler, *flags, '-shared', '-fPIC', str(C_FOLDER / 'bdq.c'), '-o', str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f'{" ".join(command)}: {done.stderr.strip()}')
    return Path(library)


def cached_core() -> Path | None:
    """The core as compiled for this machine, once, in the user's cache folder.

    Returns:
        None where there is no compiler, or no folder that may be written to.
    """
    sources = b''.join((C_FOLDER / name).read_bytes() for name in ('bdq.h', 'bdq.c'))
    # The flags ask for what this very processor has.
    machine = f'{platform.node()} {platform.machine()} {FLAGS}'.encode()
    key = hashlib.sha256(sources + machine).hexdigest()[:16]
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'bdq_plugin'
    library = folder / f'bdq-{key}.so'
    if not library.is_file():
        try:
            with atomic_path(library) as temporary:
                compile_core(temporary)
        except (OSError, ValueError):
            return None
    return library


class _Stream(ctypes.Structure):
    _fields_ = (
        ('form', ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ('height', 'width', 'channels')),
        ('state', ctypes.c_void_p),
        ('row', ctypes.c_void_p),
        ('started', ctypes.c_int32),
    )


class CStream:
    """A stream through the compiled C core; called as ``StreamingEncoder`` is.

    Args:
        form: an encoder in whole numbers, without dither.
        library: what :func:`compile_core` wrote.

    Raises:
        ValueError: see :func:`flat_form`.
    """

    def __init__(self, form: CameraForm, library: str | os.PathLike) -> None:
        self._core = ctypes.CDLL(os.fspath(library))
        for name in ('bdq_state_count', 'bdq_row_count'):
            getattr(self._core, name).restype = ctypes.c_size_t
        self._form = flat_form(form)
        self._stream = _Stream()
        self.reset()

    def reset(self) -> None:
        """Forget the previous frame: the next one begins a new stream, of any size."""
        self._shape: tuple[int, ...] | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray | None:
        """Encode the next frame, uint8 (H, W) or (H, W, C), to codes of the same shape.

        Returns:
            The codes, or None for the first frame of an encoder with difference.

        Raises:
            ValueError: not such a frame, or one whose shape differs from the frames before.
        """
        frame = np.ascontiguousarray(frame)
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3):
            raise ValueError(
                f'a frame is uint8 (H, W) or (H, W, C), got {frame.dtype} {frame.shape}'
            )
        if self._shape is None:
            self._begin(*frame.shape, *([1] if frame.ndim == 2 else []))
            self._shape = frame.shape
        if frame.shape != self._shape:
            raise ValueError(f'the stream changes from frames of {self._shape} to {frame.shape}')
        codes = np.empty_like(frame)
        written = self._core.bdq_encode(ctypes.byref(self._stream), _at(frame), _at(codes))
        return codes if written else None

    def _begin(self, height: int, width: int, channels: int) -> None:
        size = (_at(self._form), height, width, channels)
        self._state = np.empty(self._core.bdq_state_count(*size), np.int32)
        self._row = np.empty(self._core.bdq_row_count(*size), np.uint16)
        stream = ctypes.byref(self._stream)
        if self._core.bdq_begin(stream, *size, _at(self._state), _at(self._row)):
            raise ValueError(f'the C core takes no frame of {height} x {width} x {channels}')


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
