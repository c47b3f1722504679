"""Video as it comes: the frames and times of files, addresses and cameras, one after another.

Files and addresses are decoded by PyAV; only a camera by index goes through OpenCV. What comes out
of a source is pixels and the time since its first frame, and nothing else: no audio, subtitles,
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

from .clock import Clock
from .container import (
    VideoError,
    clock_may_jump,
    decode,
    demux,
    frame_rate,
    open_address,
    open_file,
    public_name,
    reason_of,
)
from .extent import missing_bytes
from .pixels import RGBConverter, is_grey, luma_of_rgb

URL_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'http', 'https', 'udp', 'tcp', 'rtp', 'srt')


class SourceError(VideoError):
    """A source cannot be opened, broke off or changed; the message names it."""


class TimedFrame(NamedTuple):
    """A frame, uint8 (H, W) or RGB (H, W, 3), and its time in ms from the source's first frame.

    Times rise from frame to frame, also where the source's clock does not (see :class:`Clock`).
    """

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

    A file is read as :class:`~bdq_plugin.video.reader.VideoFile` reads it: the same stream, the
    same frames up to the first damaged one, the same pixels. A live stream goes on behind damage.

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
        self._grey, self._threads, self.bytes_read = grey, threads, 0
        if not self.live and not Path(self.name).is_file():
            raise FileNotFoundError(
                f'no video {self.name}: name a file, a camera index or an address such as '
                'rtsp://host/path'
            )
        try:
            opened = open_address(self.name, timeout) if self.live else open_file(self.name)
        except VideoError as error:
            raise SourceError(str(error)) from error
        self._container, self._stream = opened
        self.frame_rate = Fraction(frame_rate(*opened) or 25)
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
        count, shape = 0, None
        to_rgb = RGBConverter()
        may_jump = self.live or clock_may_jump(self._container)
        clock = Clock(self._stream.time_base, self.frame_rate, may_jump)
        for frame in self._decoded():
            if self._grey is None:
                self._grey = is_grey(frame)
            pixels = to_rgb(frame)
            if self._grey:
                pixels = luma_of_rgb(pixels)
            if shape is not None and pixels.shape != shape:
                raise SourceError(
                    f'{public_name(self.name)}: changes from {_size(shape)} to '
                    f'{_size(pixels.shape)} after {count} frames; encode the rest on its own'
                )
            shape = pixels.shape
            yield TimedFrame(clock(frame), pixels)
            count += 1
        if not self.live and missing_bytes(self.name):
            raise self._broken(count)
        if count == 0:
            raise SourceError(f'{public_name(self.name)}: not one frame can be decoded')
        if self._endless:
            raise SourceError(
                f'{public_name(self.name)}: ends after {count} frames; the other side has closed it'
            )

    def tag(self, name: str) -> str | None:
        """A tag of the container, None where it has none of this name."""
        return self._container.metadata.get(name)

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            for frame in decode(
                self._packets(), self._stream, threads=self._threads, lossy=self.live
            ):
                yield frame
                count += 1
        except (av.error.FFmpegError, OSError) as error:
            raise self._broken(count, error) from error

    def _broken(self, count: int, error: Exception | None = None) -> SourceError:
        missing = 0 if self.live else missing_bytes(self.name)
        reason = f'the file is cut, {missing:,} bytes are missing' if missing else reason_of(error)
        return SourceError(f'{public_name(self.name)}: breaks off after {count} frames ({reason})')

    def _packets(self) -> Iterator[av.Packet]:
        for packet in demux(self._container, self._stream):
            self.bytes_read += packet.size
            yield packet


class CameraSource:
    """Frames of a camera on this machine, until it is gone or the reader stops.

    Args:
        index: 0 for the first camera.
        grey: True for luma alone, else RGB.
    """

    live, num_frames, bytes_read = True, 0, 0

    def __init__(self, index: int, *, grey: bool | None = None) -> None:
        self.name, self._grey = f'camera {index}', bool(grey)
        try:
            import cv2
        except ModuleNotFoundError as error:
            raise SourceError(
                f'{self.name}: cameras by index need `pip install opencv-python-headless`'
            ) from error
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


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]} x {shape[0]}'
