"""Reading frames from video files, exactly, with decord or PyAV behind one small interface.

decord is the faster reader and the default. It gives wrong frames for a few narrow widths (48, that
of all of IXMAS, among them; see :func:`decord_reads_width`): those go to PyAV, as does any file
that decord cannot open. OpenCV's ``VideoCapture`` is never used: it aborts the process on
48-pixel-wide files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import av
import decord
import numpy as np

BACKENDS = ('auto', 'decord', 'pyav')


class VideoError(OSError):
    """A video file cannot be read; the message names the file."""


class VideoReader(Protocol):
    """What every reader offers: size in pixels, frames a second, and frames by index."""

    width: int
    height: int
    fps: float

    def __len__(self) -> int:
        """Number of frames that can be decoded."""

    def get_batch(self, indices: Sequence[int]) -> np.ndarray:
        """Frames ``indices`` (0-based, any order, repeats allowed) as uint8 RGB, (T, H, W, 3)."""


def decord_reads_width(width: int) -> bool:
    """Whether decord 0.6 reads videos ``width`` pixels wide correctly.

    FFmpeg pads a row of pixels to a multiple of 32 (64 with AVX-512). decord infers the channel
    count by dividing the padded row by ``width``: where that division is exact it finds 4 channels
    or more (48 pixels -> 64 * 3 / 48 = 4) and fails. Confirmed against PyAV for every even width up
    to 400.
    """

    def is_mistaken(alignment: int) -> bool:
        padded = -(-width // alignment) * alignment
        return padded != width and padded * 3 % width == 0

    return not (is_mistaken(32) or is_mistaken(64))


class PyAVReader:
    """Sequential, exact reader on FFmpeg's own decoders. Decodes up to the last frame that is asked
    for.

    Args:
        path: The video file.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file is empty, not a video, or has no video stream.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        with _open_container(self.path) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise VideoError(f'{self.path}: its codec is unknown')
            self.width, self.height = stream.width, stream.height
            self.fps = float(stream.average_rate or 0)
            # A frame takes a byte or more: decord makes room for as many as the header says and
            # aborts the process where it cannot.
            self.is_plausible = stream.frames <= Path(self.path).stat().st_size
        self._length: int | None = None

    def __len__(self) -> int:
        # The count in a container's header may be absent or wrong: only decoding tells.
        if self._length is None:
            self._length = sum(1 for _ in self._frames())
        return self._length

    def get_batch(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`. Raises VideoError where the file ends before a frame."""
        wanted = _checked(indices)
        last = int(wanted.max())
        chosen = set(wanted.tolist())
        found = {}
        count = 0
        for frame in self._frames():
            if count in chosen:
                found[count] = frame.to_ndarray(format='rgb24')
            if count == last:
                return np.stack([found[i] for i in wanted.tolist()])
            count += 1
        raise VideoError(_too_short(self.path, last, count))

    def _frames(self) -> Iterator[av.VideoFrame]:
        with _open_container(self.path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # data loader workers are the parallelism
            frames = container.decode(stream)
            while True:
                try:
                    yield next(frames)
                except (StopIteration, av.error.FFmpegError):
                    return  # what lies behind a broken packet does not count


class DecordReader:
    """Random-access reader on decord.

    Raises:
        VideoError: decord cannot open the file or decode a frame.
    """

    def __init__(self, path: str | Path, fps: float | None = None, num_threads: int = 1) -> None:
        self.path = str(path)
        try:
            self._reader = decord.VideoReader(self.path, num_threads=num_threads)
            self._length = len(self._reader)
            self.fps = float(self._reader.get_avg_fps() if fps is None else fps)
        except (RuntimeError, decord.DECORDError) as error:
            raise VideoError(
                f'{self.path}: decord cannot open it ({_first_line(error)})'
            ) from error
        self._size: tuple[int, int] | None = None

    @property
    def width(self) -> int:
        return self._frame_size()[0]

    @property
    def height(self) -> int:
        return self._frame_size()[1]

    def _frame_size(self) -> tuple[int, int]:
        if self._size is None:
            height, width = self.get_batch([0]).shape[1:3]
            self._size = (width, height)
        return self._size

    def __len__(self) -> int:
        return self._length

    def get_batch(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`."""
        wanted = _checked(indices)
        if wanted.max() >= self._length:
            raise VideoError(_too_short(self.path, wanted.max(), self._length))
        try:
            return self._reader.get_batch(wanted).asnumpy()
        except (RuntimeError, decord.DECORDError) as error:
            raise VideoError(
                f'{self.path}: decord fails to decode ({_first_line(error)})'
            ) from error


class ArrayReader:
    """Frames that are in memory already, under the indices they have in their video.

    Args:
        frames: uint8, (T, H, W, 3), or (T, H, W, 1) for grey frames.
        first: Index, in the video, of ``frames[0]``.
        fps: Frames a second of the video.
    """

    def __init__(self, frames: np.ndarray, first: int = 0, fps: float = 0.0) -> None:
        self.frames, self.first, self.fps = frames, first, fps
        self.height, self.width = frames.shape[1:3]

    def __len__(self) -> int:
        return self.first + len(self.frames)

    def get_batch(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`. Always a copy: stock ``Flip`` works in place."""
        wanted = _checked(indices) - self.first
        if wanted.min() < 0 or wanted.max() >= len(self.frames):
            raise IndexError(
                f'frames {list(indices)} reach out of the cached range '
                f'{self.first} to {len(self) - 1}'
            )
        return np.repeat(self.frames[wanted], 3 // self.frames.shape[3], axis=3)


def open_video(path: str | Path, backend: str = 'auto', num_threads: int = 1) -> VideoReader:
    """Open a video with the reader that decodes it exactly.

    Args:
        path: The video file.
        backend: ``'auto'`` (decord where it is safe, else PyAV), ``'decord'`` or ``'pyav'``.
        num_threads: Decoding threads of decord; PyAV uses one.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: Neither reader can open it.
        ValueError: The backend is unknown.
    """
    if backend not in BACKENDS:
        raise ValueError(f'unknown backend {backend!r}: choose one of {", ".join(BACKENDS)}')
    if backend == 'decord':
        return DecordReader(path, num_threads=num_threads)
    reader = PyAVReader(path)
    if backend == 'pyav' or not (reader.is_plausible and decord_reads_width(reader.width)):
        return reader
    try:
        return DecordReader(path, fps=reader.fps, num_threads=num_threads)
    except VideoError:
        return reader


def count_frames(path: str | Path) -> int:
    """Number of frames of a video, counted by decoding it.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file holds no frame that can be decoded.
    """
    count = len(PyAVReader(path))
    if count == 0:
        raise VideoError(f'{path}: not one frame can be decoded')
    return count


def _open_container(path: str) -> av.container.InputContainer:
    # A missing file is told from an unreadable one here, for PyAV's error is both at once.
    if not Path(path).is_file():
        raise FileNotFoundError(f'no video file {path}')
    try:
        # Titles and the like in a damaged header need not be UTF-8.
        container = av.open(path, metadata_errors='replace')
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f'{path}: not a readable video ({error})') from error
    if not container.streams.video:
        container.close()
        raise VideoError(f'{path}: it has no video stream')
    return container


def _checked(indices: Sequence[int]) -> np.ndarray:
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    if wanted.size == 0:
        raise ValueError('no frame index was given')
    if wanted.min() < 0:
        raise IndexError(f'negative frame index {wanted.min()}')
    return wanted


def _too_short(path: str, index: int, count: int) -> str:
    return (
        f'{path}: frame {index} was asked for, but only {count} frames can be decoded. '
        'Is the file truncated? Copy it anew and run the prepare tool again.'
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
