"""Video into the encoder: files, cameras and addresses.

Everything is decoded by PyAV; only a camera by index goes through OpenCV. What comes
out of a source is pixels and the time since its first frame, and nothing else: no audio, subtitles,
chapters, tags, location or time of day can pass, because nothing here carries them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

URL_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'http', 'https', 'udp', 'tcp', 'rtp', 'srt')
# Packets that a live stream may lose in a row (it begins between two key frames, or drops some).
_TOLERATED = 50
# Of a file's announced frames, how many may be missing: edit lists hide a few, a cut hides many.
_SHORTFALL = 0.02


class SourceError(OSError):
    """A source cannot be opened, broke off or changed; the message names it."""


class TimedFrame(NamedTuple):
    """A frame, uint8 (H, W) or RGB (H, W, 3), and its time in ms from the source's first frame."""

    time_ms: int
    pixels: np.ndarray


def is_url(source: str) -> bool:
    """Whether a source is an address and not a path."""
    return source.partition('://')[0].lower() in URL_SCHEMES and '://' in source


def is_camera(source: str) -> bool:
    """Whether a source is the index of a camera."""
    return source.isascii() and source.isdigit()


def open_source(source: str | os.PathLike, **options: object) -> VideoSource | CameraSource:
    """A file, an address or a camera index as an iterable of :class:`TimedFrame`.

    Args:
        source: path, URL (RTSP, HTTP, ...) or the index of a camera as text.
        **options: ``grey`` for both kinds, ``timeout`` for files and addresses.
    """
    source = os.fspath(source)
    if is_camera(source) and not Path(source).exists():
        options.pop('timeout', None)
        return CameraSource(int(source), **options)
    return VideoSource(source, **options)


class VideoSource:
    """Frames of a file or an address, turned upright and brought to 8 bits.

    Args:
        source: path or URL.
        grey: True for luma alone, False for RGB, None for what the source holds.
        timeout: seconds that an address may stay silent.
        threads: of the decoder, 0 for one a core; more than one pays for large H.264 and HEVC.

    Attributes:
        frame_rate (Fraction): nominal frames a second; 25 where the source does not say.
        num_frames (int): frames that the container announces, 0 where it does not.
        bytes_read (int): size of the video packets so far.

    Raises:
        FileNotFoundError: no such file.
        SourceError: not a video, or nobody answers.
    """

    def __init__(
        self,
        source: str | os.PathLike,
        *,
        grey: bool | None = None,
        timeout: float = 10.0,
        threads: int = 1,
    ) -> None:
        self.name = os.fspath(source)
        self.live = is_url(self.name)
        self._grey, self.bytes_read = grey, 0
        if not self.live and not Path(self.name).is_file():
            raise FileNotFoundError(
                f'no video {self.name}: name a file, a camera index or an address such as '
                'rtsp://host/path'
            )
        # TCP: with UDP a lossy network shows as smeared frames instead of as an error.
        options = {'rtsp_transport': 'tcp'} if self.name.lower().startswith('rtsp') else {}
        try:
            # Without the protocol FFmpeg takes what stands before a colon in a name for one.
            address = self.name if self.live else f'file:{self.name}'
            self._container = av.open(address, options=options, timeout=timeout)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f'{public_name(self.name)}: cannot be opened ({_reason(error)})'
            ) from error
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f'{public_name(self.name)}: it has no video')
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = threads
        self.frame_rate = Fraction(self._stream.average_rate or 25)
        self.num_frames = self._stream.frames
        # A camera's stream has no end: FFmpeg ends quietly where the other side is gone. By HTTP
        # come files as well, and there it does tell.
        self._endless = self.live and not self.name.lower().startswith('http')

    def __iter__(self) -> Iterator[TimedFrame]:
        """Frames in the order of display.

        Raises:
            SourceError: the stream breaks off, is damaged, or changes its size, after every frame
                before that was given.
        """
        count, first, last, shape = 0, None, -1, None
        for frame in self._decoded():
            pixels = upright(frame, self._pixels(frame))
            if shape is not None and pixels.shape != shape:
                raise SourceError(
                    f'{public_name(self.name)}: changes from {_size(shape)} to '
                    f'{_size(pixels.shape)} after {count} frames; encode the rest on its own'
                )
            shape = pixels.shape
            if frame.pts is None or frame.time_base is None:
                time_ms = 0 if count == 0 else last + round(1000 / self.frame_rate)
            else:
                seconds = frame.pts * frame.time_base
                # The first frames of an RTSP stream have no time: they came before it.
                first = seconds - count / self.frame_rate if first is None else first
                time_ms = round(1000 * (seconds - first))
            # Two frames never share a millisecond, and a clock that jumps back is held.
            last = max(time_ms, last + 1)
            yield TimedFrame(last, pixels)
            count += 1
        if count == 0:
            raise SourceError(f'{public_name(self.name)}: not one frame can be decoded')
        if self._endless:
            raise SourceError(
                f'{public_name(self.name)}: ends after {count} frames; the other side has closed it'
            )
        missing = self.num_frames - count
        if not self.live and missing > max(2, _SHORTFALL * self.num_frames):
            raise SourceError(
                f'{self.name}: breaks off after {count} of {self.num_frames} frames; is the file '
                'cut?'
            )

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count = failures = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                raise self._broken(count, error) from error
            self.bytes_read += packet.size or 0
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                failures += 1
                if not self.live or failures > _TOLERATED:
                    raise self._broken(count, error) from error
                continue
            if frames:
                failures = 0
            for frame in frames:
                yield frame
                count += 1

    def _broken(self, count: int, error: Exception) -> SourceError:
        return SourceError(
            f'{public_name(self.name)}: breaks off after {count} frames ({_reason(error)})'
        )

    def _pixels(self, frame: av.VideoFrame) -> np.ndarray:
        if self._grey is None:
            self._grey = frame.format.name.startswith(('gray', 'mono'))
        # One thread: swscale's own choice spends four times as long on handing rows around.
        return frame.reformat(format='gray' if self._grey else 'rgb24', threads=1).to_ndarray()


class CameraSource:
    """Frames of a camera on this machine, until it is gone or the reader stops.

    Args:
        index: 0 for the first camera.
        grey: True for luma alone, else RGB.
    """

    live, num_frames, bytes_read = True, 0, 0

    def __init__(self, index: int, *, grey: bool | None = None) -> None:
        import cv2

        self.name, self._grey = f'camera {index}', bool(grey)
        self._convert = cv2.COLOR_BGR2GRAY if self._grey else cv2.COLOR_BGR2RGB
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceError(f'{self.name}: does not open; is it connected, and free?')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.frame_rate = Fraction(rate).limit_denominator(1001) if rate > 0 else Fraction(25)

    def __iter__(self) -> Iterator[TimedFrame]:
        import cv2

        count, start, last = 0, None, -1
        while True:
            alive, frame = self._capture.read()
            if not alive:
                raise SourceError(f'{self.name}: is gone after {count} frames')
            now = time.monotonic()
            start = now if start is None else start
            last = max(round(1000 * (now - start)), last + 1)
            yield TimedFrame(last, cv2.cvtColor(frame, self._convert))
            count += 1

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> CameraSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def upright(frame: av.VideoFrame, pixels: np.ndarray) -> np.ndarray:
    """Turn and mirror pixels as the display matrix says that a phone wrote beside them.

    The matrix sends the point (x, y) to (a x + c y, b x + d y). Right angles and mirrors only,
    which are all that cameras write; another angle is taken as the nearest of them.
    """
    data = next((s for s in frame.side_data if s.type.name == 'DISPLAYMATRIX'), None)
    if data is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        pixels = np.swapaxes(pixels, 0, 1)
        a, d = c, b
    pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]} x {shape[0]}'


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # what PyAV's timeout makes of a silent stream
        return 'nothing came before the timeout'
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


def public_name(name: str) -> str:
    """A source's name without the password that an address may carry."""
    scheme, mark, rest = name.partition('://')
    host, slash, path = rest.partition('/')
    return f'{scheme}://{host.rpartition("@")[2]}{slash}{path}' if mark else name
