"""The encoder in C99 (``c/bdq.h``, ``c/bdq.c``): its form as a header, and the core in Python.

The core needs no library and no allocation, for cameras that run no Python. Here it is compiled and
called for tests, benchmarks and streams.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..atomic_files import atomic_path
from ..camera_form import CameraForm
from ..geometry import Geometry

# The sources, and vectors.json: frames and their codes, for ports to other languages.
C_FOLDER = Path(__file__).with_name('c')
SOURCES = [C_FOLDER / name for name in ('bdq.h', 'bdq_geometry.h', 'bdq.c')]
FORM_VERSION, MAX_TAPS, MAX_THRESHOLDS = 3, 255, 255
# Numbers before the taps.
HEAD = 9
# The compiler's vector instructions are where the speed comes from.
FLAGS = ('-std=c99', '-O3', '-march=native')


def flat_form(form: CameraForm) -> np.ndarray:
    """A form as ``bdq_form`` of bdq.h: int32 of shape (519,).

    How strong a geometry is does not stand there: whoever draws its places knows.

    Raises:
        ValueError: the encoder replaces codes at random.
    """
    if form.flip:
        raise ValueError(
            'an encoder with randomised response (flip) has no form in C yet: use '
            'bdq_plugin.deploy.StreamingEncoder'
        )
    taps = _without_outer_zeros(form.kernel)
    limits = np.iinfo(np.int32)
    thresholds = np.clip(form.thresholds, limits.min, limits.max)
    # A dither that rounds to nothing is one all the same: the core must ask for its noise.
    dither = min(math.ceil(form.dither), limits.max)
    flags = form.padding == 'zeros', form.difference
    flat = np.zeros(HEAD + MAX_TAPS + MAX_THRESHOLDS, np.int32)
    flat[:HEAD] = (
        *(FORM_VERSION, len(taps), *flags, len(thresholds)),
        *(form.block, form.magnitude, dither, form.geometry is not None),
    )
    flat[HEAD : HEAD + len(taps)] = taps
    flat[HEAD + MAX_TAPS :][: len(thresholds)] = thresholds
    return flat


def _without_outer_zeros(kernel: Sequence[int]) -> Sequence[int]:
    """The same blur; taps of whole numbers with sum 256 are then 255 at most."""
    while len(kernel) > 1 and kernel[0] == 0:
        kernel = kernel[1:-1]
    return kernel


def form_header(form: CameraForm) -> str:
    """``bdq_form.h``: the constant ``BDQ_FORM`` for bdq.h."""
    flat = flat_form(form)
    num_taps, num_thresholds = flat[1], flat[4]
    taps = ', '.join(map(str, flat[HEAD:][:num_taps]))
    # The least number of 32 bits has no literal in C.
    numbers = ['INT32_MIN' if t == -(2**31) else str(t) for t in flat[HEAD + MAX_TAPS :]]
    lines = [numbers[i : min(i + 8, num_thresholds)] for i in range(0, num_thresholds, 8)]
    thresholds = ',\n        '.join(', '.join(line) for line in lines)
    drawn = '' if form.geometry is None else _drawn(form.geometry)
    return (
        '/* A trained encoder for bdq.h. A code stands for low + code * step of full intensity:\n'
        f' * low {form.low!r}, step {form.step!r}.{drawn} */\n'
        '#ifndef BDQ_FORM_H\n#define BDQ_FORM_H\n\n#include "bdq.h"\n\n'
        'static const bdq_form BDQ_FORM = {\n'
        f'    {", ".join(map(str, flat[:HEAD]))},\n'
        f'    {{{taps}}},\n    {{\n        {thresholds}\n    }}\n}};\n\n#endif\n'
    )


def _drawn(geometry: Geometry) -> str:
    parts = [f'{name} {value!r}' for name, value in asdict(geometry).items() if value]
    return (
        '\n *\n * Draw the places of each stream anew within these limits, as places_of of\n'
        f' * bdq_plugin/geometry.py does: {", ".join(parts) or "none"}.'
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


def cached_core(*, compiles: bool = True) -> Path | None:
    """The core as compiled for this machine, once, in the user's cache folder.

    Args:
        compiles: compile it where it is not there yet, which takes a second.

    Returns:
        None where it is not there, there is no compiler, or no folder that may be written to.
    """
    sources = b''.join(path.read_bytes() for path in SOURCES)
    # The flags ask for what this very processor has.
    machine = f'{platform.node()} {platform.machine()} {FLAGS}'.encode()
    key = hashlib.sha256(sources + machine).hexdigest()[:16]
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'bdq_plugin'
    library = folder / f'bdq-{key}.so'
    if not library.is_file():
        if not compiles:
            return None
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


_REFUSALS = {
    -4: 'an encoder with dither needs noise for each frame of codes',
    -5: 'an encoder with a geometric dither needs places for each frame, another takes none',
}


class CStream:
    """A stream through the compiled C core; called as ``StreamingEncoder`` is.

    Args:
        form: an encoder in whole numbers, without randomised response.
        library: what :func:`compile_core` wrote.

    Raises:
        ValueError: see :func:`flat_form`.
    """

    def __init__(self, form: CameraForm, library: str | os.PathLike) -> None:
        self._core = ctypes.CDLL(os.fspath(library))
        for name in ('bdq_state_count', 'bdq_row_count', 'bdq_codes_count'):
            getattr(self._core, name).restype = ctypes.c_size_t
        self._form, self._block = flat_form(form), form.block
        self._stream = _Stream()
        self._mixed: np.ndarray | None = None
        self.reset()

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the stream's frames, None before the first."""
        return self._shape

    def reset(self) -> None:
        """Forget the previous frame: the next one begins a new stream, of any size."""
        self._shape: tuple[int, ...] | None = None

    def resume(self, shape: tuple[int, int, int], previous: np.ndarray | None) -> None:
        """Go on with a stream whose first frames someone else has encoded.

        Args:
            shape: of its frames, (H, W, C).
            previous: int32, shaped like the codes: the previous blurred frame, or its means of
                blocks; None where the encoder takes no differences.
        """
        self._begin(*shape)
        self._shape = shape
        if previous is not None:
            self._state[: previous.size] = previous.ravel()
            self._stream.started = 1

    def mix(self, first: np.ndarray, second: np.ndarray | None, share: int) -> np.ndarray:
        """What :func:`bdq_plugin.geometry.mix` computes; the first where there is no second."""
        if second is None:
            return first
        if self._mixed is None or self._mixed.shape != first.shape:
            self._mixed = np.empty_like(first)
        self._core.bdq_mix_places(
            _at(first), _at(second), share, ctypes.c_size_t(first.size), _at(self._mixed)
        )
        return self._mixed

    def __call__(
        self,
        frame: np.ndarray,
        noise: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Encode the next frame.

        Args:
            frame: uint8 (H, W) or (H, W, C).
            noise: of an encoder with dither, shaped like the codes, int32 in units of thresholds
                (:func:`~bdq_plugin.deploy.streaming.draw_noise`).
            places: of an encoder with geometric dither, int32 (2, H, W), rows and columns in 1/64
                pixel (:class:`bdq_plugin.geometry.Path`); the border's beyond it.

        Returns:
            The codes, of the frame's shape, H and W divided by the encoder's block; or None for the
            first frame of an encoder with difference, which needs no noise.

        Raises:
            ValueError: not such a frame, one whose shape differs from the frames before, or no
                noise or places where the encoder has dither or a geometry.
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
        height, width, *channels = frame.shape
        codes = np.empty((height // self._block, width // self._block, *channels), np.uint8)
        if noise is not None:
            noise = np.ascontiguousarray(noise, np.int32)
            if noise.size != codes.size:
                raise ValueError(f'noise of {noise.shape} does not fit codes of {codes.shape}')
        if places is not None:
            places = np.ascontiguousarray(places, np.int32)
            if places.shape != (2, height, width):
                raise ValueError(f'places of {places.shape} do not fit frames of {frame.shape}')
        drawn = [None if array is None else _at(array) for array in (noise, places)]
        stream = ctypes.byref(self._stream)
        written = self._core.bdq_encode_dithered(stream, _at(frame), *drawn, _at(codes))
        if written < 0:
            raise ValueError(_REFUSALS[written])
        return codes if written else None

    def _begin(self, height: int, width: int, channels: int) -> None:
        size = (_at(self._form), height, width, channels)
        self._state = np.empty(self._core.bdq_state_count(*size), np.int32)
        self._row = np.empty(self._core.bdq_row_count(*size), np.uint16)
        stream = ctypes.byref(self._stream)
        if self._core.bdq_begin(stream, *size, _at(self._state), _at(self._row)):
            raise ValueError(
                f'the C core takes no frame of {height} x {width} x {channels}'
                + (f' in blocks of {self._block}' if self._block > 1 else '')
            )


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
