"""The encoder as it runs in a camera: one frame in, one frame of codes out.

Implementations of the same whole numbers: :func:`plain_blur` and what follows it in NumPy, to read,
and to run the compiled ones of :mod:`bdq_plugin.deploy.kernels` (numba) and ``c_core``.
``python -m benchmarks.run streaming`` measures all.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from ..camera_form import CameraForm, check_blocks, load_form
from ..randomized_response import WORDS, draw_words, respond
from .c_core import CStream
from .fastest import Fastest, at_hand, make_ready
from .moving import Mover


class StreamingEncoder:
    """Encode a video frame by frame, with a latency of one frame and no torch.

    ::

        frame t --B: whole-number blur--> b_t --D: b_t - b_{t-1}--> --Q: thresholds--> codes t
                  and means of blocks      |         ^
                                           +-- state +

    The codes are those that ``encoder.codes(clip)`` gives for the whole clip, bit for bit, for
    colour and grey frames of any size. (With dither they are not: each run draws its own noise, and
    with geometric dither each stream its own geometry, by which frames are moved first. Nor are
    they with randomised response, which draws for each code from the operating system.)

    All that it holds is the previous *blurred* frame (of an encoder with blocks its means alone),
    4 bytes a value, and a few rows; with geometric dither also where pixels are taken from.

    Args:
        form: an encoder in whole numbers (``encoder.integer_form()``) or the path of an encoder's
            JSON file.
        compiled: True for the kernel compiled by numba, False for NumPy (slower by a factor of
            20 or so). None takes the C core where it is compiled already. Else it begins with
            NumPy, and goes on with the C core where a C compiler is
            (:mod:`bdq_plugin.deploy.c_core`), or with numba, as soon as these are ready.
        secret: 32 bytes from which geometries are drawn. None takes fresh ones from the operating
            system for each stream, which is what hides; whoever knows them can undo the geometry,
            so give them in tests only. They are neither written nor shown anywhere.
        seed: of the dither's noise and of the randomised response. None takes the first from the
            operating system's seed and the second from itself; whoever knows the seed can subtract
            the noise, so give one in tests only.

    Raises:
        FileNotFoundError, ValueError: ``form`` names no file, or an encoder that cannot stream.

    Example:
        >>> stream = StreamingEncoder('encoder.json')
        >>> stream(first_frame) is None  # a difference needs two
        True
        >>> stream(second_frame).max() < stream.num_levels
        True
    """

    def __init__(
        self,
        form: CameraForm | str | os.PathLike,
        *,
        compiled: bool | None = None,
        seed: int | None = None,
        secret: bytes | None = None,
    ) -> None:
        self.form = form if isinstance(form, CameraForm) else load_form(form)
        self.compiled, self._chooses = bool(compiled), compiled is None
        self._ready: Future[Fastest] | None = None
        self._codes_given = False
        self._core: CStream | None = None
        self._noise = np.random.Generator(np.random.Philox(seed)) if self.form.dither else None
        self._words = None if seed is None else np.random.Generator(np.random.Philox([seed, 1]))
        limits = np.iinfo(np.int32)
        self._thresholds = np.clip(self.form.thresholds, limits.min, limits.max).astype(np.int32)
        self._kernel = None
        self._secret, self._move = secret, None
        self.reset()
        found = at_hand() if self._chooses else None
        if found is not None:
            self._go_on_with(found)

    @property
    def num_levels(self) -> int:
        """Codes run from 0 to one less than this."""
        return self.form.num_levels

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the stream's frames, None before the first."""
        return self._shape

    def reset(self) -> None:
        """Forget the previous frame: the next one begins a new stream, of any shape."""
        self._shape: tuple[int, ...] | None = None
        self._previous: np.ndarray | None = None
        if self._core is not None:
            self._core.reset()
        geometry = self.form.geometry
        if geometry is not None:
            compiled = self.compiled if self._move is None else self._move.compiled
            self._move = Mover(geometry, self._secret, compiled=compiled)

    def __call__(self, frame: np.ndarray) -> np.ndarray | None:
        """Encode the next frame.

        Args:
            frame: uint8 of shape (H, W) or (H, W, C), any H, W and C from 1; not changed.

        Returns:
            uint8 codes of the same shape (H and W divided by the encoder's ``block``), from 0 to
            ``num_levels - 1``, in memory of their own. None for the first frame of a stream where
            the encoder takes differences: the first frame only sets the state, and nothing of it
            leaves.

        Raises:
            ValueError: not such a frame, one whose shape differs from the frames before, or one
                that is no whole number of the encoder's blocks.
        """
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or frame.size == 0:
            raise ValueError(
                'a frame is a uint8 array of shape (H, W) or (H, W, C), got '
                f'{frame.dtype} {frame.shape}'
            )
        if self._shape is not None and frame.shape != self._shape:
            raise ValueError(
                f'the stream changes from frames of {self._shape} to {frame.shape}: call reset() '
                'to begin a new stream'
            )
        check_blocks(*frame.shape[:2], self.form.block)
        if self._chooses:
            self._choose()
        self._shape = frame.shape
        flat = np.ascontiguousarray(frame).reshape(*frame.shape[:2], -1)
        if self._core is not None:
            codes = self._core_step(flat)
        else:
            flat = flat if self._move is None else self._move(flat)
            codes = self._compiled_step(flat) if self.compiled else self._plain_step(flat)
        if codes is None:
            return None
        self._codes_given = True
        if self.form.flip:
            codes = self._respond(codes)
        return codes.reshape(codes_shape(self.form, frame.shape))

    def _choose(self) -> None:
        """Take the fastest implementation when it is ready; have it made so behind a frame."""
        if self._ready is None:
            # Not beside the first codes: they would wait.
            if self._codes_given:
                self._ready = make_ready(self.form)
        elif self._ready.done():
            self._go_on_with(self._ready.result())

    def _go_on_with(self, fastest: Fastest) -> None:
        self._chooses = False
        if fastest.library is None:
            self.compiled = fastest.numba
            if self._move is not None:
                self._move.compiled = fastest.numba
            return
        # Codes are replaced after it: the core does not know of that.
        self._core = CStream(replace(self.form, flip=0.0), fastest.library)
        if self._shape is not None:
            shape = (*self._shape, 1)[:3]
            self._core.resume(shape, self._previous)
            self._previous = None

    def _respond(self, codes: np.ndarray) -> np.ndarray:
        if self._words is None:
            words = draw_words(codes.shape)
        else:
            words = self._words.integers(WORDS, size=codes.shape)
        return respond(codes, words, self.form.flip, self.form.num_levels).astype(np.uint8)

    def _core_step(self, frame: np.ndarray) -> np.ndarray | None:
        skip = self._core.shape is None and self.form.difference
        noise = places = None
        if self._move is not None:
            places = self._core.mix(*self._move.ends(*frame.shape[:2]))
        if self._noise is not None and not skip:
            noise = draw_noise(self._noise, self.form, codes_shape(self.form, frame.shape))
        return self._core(frame, noise, places)

    def _plain_step(self, frame: np.ndarray) -> np.ndarray | None:
        means = plain_block_mean(plain_blur(self.form, frame), self.form.block)
        if self.form.difference:
            previous, self._previous = self._previous, means
            if previous is None:
                return None
            values = means - previous
        else:
            values = means
        if self._noise is not None:
            values = values + draw_noise(self._noise, self.form, values.shape)
        if self.form.magnitude:
            values = np.abs(values)
        return np.searchsorted(self._thresholds, values, side='left').astype(np.uint8)

    def _compiled_step(self, frame: np.ndarray) -> np.ndarray | None:
        if self._kernel is None:
            # Here, not at the top: numba takes half a second to import and is an option.
            from .kernels import FrameKernel

            self._kernel = FrameKernel(self.form, self._thresholds)
        first = self._previous is None
        if first:
            self._previous = np.empty(codes_shape(self.form, frame.shape), np.int32)
        skip = first and self.form.difference
        noise = None
        if self._noise is not None and not skip:
            noise = draw_noise(self._noise, self.form, self._previous.shape)
        return self._kernel(frame, self._previous, first=first, noise=noise)


def draw_noise(
    generator: np.random.Generator, form: CameraForm, shape: tuple[int, ...]
) -> np.ndarray:
    """Noise of the dither for a frame of codes: whole numbers, int32, in units of thresholds."""
    noise = generator.standard_normal(shape, dtype=np.float32) * np.float32(form.dither)
    # Beyond two full ranges more noise changes no code; the sum must stay within 32 bits.
    return np.clip(np.rint(noise), -(2**26), 2**26).astype(np.int32)


def plain_blur(form: CameraForm, frame: np.ndarray) -> np.ndarray:
    """B in NumPy: uint8 (H, W, C) to whole numbers of 24 bits, int32 of the same shape."""
    half = len(form.kernel) // 2
    margins = ((half, half), (half, half), (0, 0))
    mode = 'edge' if form.padding == 'replicate' else 'constant'
    padded = np.pad(frame.astype(np.int32), margins, mode=mode)
    height, width = frame.shape[:2]
    taps = list(enumerate(form.kernel))
    rows = sum(tap * padded[:, i : i + width] for i, tap in taps)
    return sum(tap * rows[i : i + height] for i, tap in taps).astype(np.int32, copy=False)


def plain_block_mean(values: np.ndarray, block: int) -> np.ndarray:
    """Means of blocks in NumPy, rounded down: int32 (H, W, C) to (H / block, W / block, C)."""
    height, width, channels = values.shape
    blocks = values.reshape(height // block, block, width // block, block, channels)
    return (blocks.sum((1, 3), dtype=np.int64) // block**2).astype(np.int32)


def codes_shape(form: CameraForm, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the codes of frames of ``shape``, (H, W) or (H, W, C)."""
    return shape[0] // form.block, shape[1] // form.block, *shape[2:]


def encode_clip(form: CameraForm | str | os.PathLike, frames: np.ndarray) -> np.ndarray:
    """Encode a whole clip of uint8 frames (T, H, W) or (T, H, W, C) through the stream.

    Returns:
        uint8 codes, (T, H, W) or (T, H, W, C), with T - 1 frames where the encoder differences and
        H and W divided by its ``block``.
    """
    stream = StreamingEncoder(form)
    codes = [code for frame in frames if (code := stream(frame)) is not None]
    if not codes:
        return np.empty((0, *codes_shape(stream.form, np.shape(frames)[1:])), np.uint8)
    return np.stack(codes)


def decode(form: CameraForm, codes: np.ndarray) -> np.ndarray:
    """uint8 codes of any shape to the float32 values that they stand for.

    The same numbers as the networks saw in training, ``low + level * step``.
    """
    return np.float32(form.low) + codes.astype(np.float32) * np.float32(form.step)
