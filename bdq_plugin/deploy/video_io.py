"""Video in and out of the encoder: files, cameras and addresses in; viewable codes out.

Everything is decoded and written by PyAV; only a camera by index goes through OpenCV. What comes
out of a source is pixels and the time since its first frame, and nothing else: no audio, subtitles,
chapters, tags, location or time of day can pass, because nothing here carries them.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from ..camera_form import CameraForm

VIDEO_SUFFIXES = ('.avi', '.mkv', '.mov', '.mp4', '.m4v', '.mpg', '.mpeg', '.ts', '.webm', '.wmv')
URL_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'http', 'https', 'udp', 'tcp', 'rtp', 'srt')
# Packets that a live stream may lose in a row (it begins between two key frames, or drops some).
_TOLERATED = 50
# Of a file's announced frames, how many may be missing: edit lists hide a few, a cut hides many.
_SHORTFALL = 0.02
_FORM_TAG = 'BDQ_FORM'


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
        check: take a wrong checksum inside the video for damage instead of showing the frame.

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
        check: bool = False,
    ) -> None:
        self.name = os.fspath(source)
        self.live = is_url(self.name)
        self._grey, self._check, self.bytes_read = grey, check, 0
        if not self.live and not Path(self.name).is_file():
            raise FileNotFoundError(
                f'no video {self.name}: name a file, a camera index or an address such as '
                'rtsp://host/path'
            )
        # TCP: with UDP a lossy network shows as smeared frames instead of as an error.
        options = {'rtsp_transport': 'tcp'} if self.name.lower().startswith('rtsp') else {}
        try:
            self._container = av.open(self.name, options=options, timeout=timeout)
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
                frames = decode_checked(packet) if self._check else packet.decode()
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


def decode_checked(packet: av.Packet) -> list[av.VideoFrame]:
    """Decode a packet, and take what the decoder only mentions in its log for an error.

    FFmpeg's FFV1 reports a wrong checksum there and gives the frame all the same; the option that
    would make it fail (``err_detect``) does not reach it through PyAV.

    Raises:
        av.error.InvalidDataError: a checksum is wrong.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            frames = packet.decode()
    finally:
        av.logging.set_level(level)
    if any('CRC mismatch' in text for _, _, text in log):
        raise av.error.InvalidDataError(errno.EINVAL, 'its checksum is wrong')
    return frames


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


class CodesVideoWriter:
    """Codes as a video that players open, scaled to the range 0 to 255.

    ``.mkv`` is FFV1, lossless: :class:`CodesVideoReader` gives the codes back exactly. ``.mp4`` is
    H.264 for looking at, in any player and browser; it is lossy, so no codes come back from it.

    Both are written in pieces that stay readable when the rest is missing. The container has no
    tags but the encoder in whole numbers (``BDQ_FORM``, .mkv alone) and no time of day.

    Args:
        path: file to make, ``.mkv`` or ``.mp4``; an existing one is replaced.
        form: the encoder that made the codes.
        shape: of every frame of codes, (H, W) or (H, W, 3).
        frame_rate: nominal frames a second; each frame carries its own time.
        threads: of the codec, 0 for one a core.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        form: CameraForm,
        shape: tuple[int, ...],
        *,
        frame_rate: Fraction | int = 25,
        threads: int = 1,
    ) -> None:
        self.path, self.shape = Path(path), tuple(shape)
        if len(shape) == 3 and shape[2] != 3:
            raise ValueError(f'a video has 1 or 3 channels, got frames of {shape}; write .bdq')
        self.lossless = self.path.suffix.lower() == '.mkv'
        if not self.lossless and self.path.suffix.lower() != '.mp4':
            raise ValueError(f'{self.path}: codes are viewable as .mkv (lossless) or .mp4')
        self._grey, self._frames, self._closed = len(shape) == 2, 0, False
        self._scale = level_shades(form.num_levels)
        height, width = shape[:2]
        # 4:2:0 needs even sizes; one row or column is repeated.
        self._margins = ((0, 0), (0, 0)) if self.lossless else ((0, height % 2), (0, width % 2))
        if self.lossless:
            # Each cluster is whole on its own, and each slice has its own CRC.
            options = {'fflags': '+bitexact', 'flush_packets': '1', 'cluster_time_limit': '1000'}
            codec, pix_fmt = 'ffv1', 'gray' if self._grey else 'bgr0'
            # The range coder (1) writes a third of what the default Golomb codes (0) do.
            codec_options = {'level': '3', 'slicecrc': '1', 'coder': '1', 'g': '25'}
        else:
            options = {
                'fflags': '+bitexact',
                'flush_packets': '1',
                'movflags': '+frag_keyframe+empty_moov+default_base_moof',
            }
            codec, pix_fmt = 'libx264', 'yuv420p'
            codec_options = {'crf': '18', 'preset': 'veryfast', 'tune': 'zerolatency', 'g': '25'}
        try:
            self._container = av.open(os.fspath(self.path), 'w', options=options)
            if self.lossless:
                form = CameraForm.from_dict(form.to_dict())
                self._container.metadata[_FORM_TAG] = json.dumps(form.to_dict())
            stream = self._container.add_stream(codec, rate=frame_rate, options=codec_options)
            stream.width = width + self._margins[1][1]
            stream.height = height + self._margins[0][1]
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.flags |= _BITEXACT
            stream.codec_context.thread_count = threads
            self._stream = stream
            self._container.start_encoding()  # a path that cannot be written fails here
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error) from error

    @property
    def bytes_written(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def write(self, codes: np.ndarray, time_ms: int) -> None:
        """Add a frame of uint8 levels at a time in ms, later than the one before."""
        if codes.shape != self.shape or codes.dtype != np.uint8:
            raise ValueError(
                f'{self.path} takes uint8 frames of {self.shape}, got {codes.dtype} {codes.shape}'
            )
        margins = self._margins if self._grey else (*self._margins, (0, 0))
        pixels = np.pad(self._scale[codes], margins, mode='edge')
        frame = av.VideoFrame.from_ndarray(pixels, format='gray' if self._grey else 'rgb24')
        frame = frame.reformat(format=self._stream.pix_fmt, threads=1)
        frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
        self._mux(frame)
        self._frames += 1

    def close(self) -> None:
        """Finish the file. Safe to call again."""
        if self._closed:
            return
        try:
            if self._frames:
                self._mux(None)
        finally:
            self._close_container()

    def __enter__(self) -> CodesVideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            failure = self._failed(error)
            try:
                self._close_container()
            except OSError as second:
                raise failure from second
            raise failure from error

    def _close_container(self) -> None:
        self._closed = True
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OSError:
        kept = f'; it holds the {self._frames} frames before' if self._frames else ''
        return OSError(
            getattr(error, 'errno', None) or errno.EIO,
            f'cannot write {self.path} ({_reason(error)}){kept}. Free space or choose another disk',
        )


# AV_CODEC_FLAG_BITEXACT: no version of the library in the stream.
_BITEXACT = 1 << 23


class CodesVideoReader:
    """Read the codes of a lossless ``.mkv`` back; like :class:`PackedReader` to iterate over.

    Attributes:
        form (CameraForm): the encoder that made the codes.
        frame_rate (Fraction): nominal frames a second.

    Raises:
        FileNotFoundError, SourceError: no such file, or not a lossless video of codes.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._source = VideoSource(path, check=True)
        self.path, self.frame_rate = Path(path), self._source.frame_rate
        text = self._source._container.metadata.get(_FORM_TAG)
        if text is None:
            self._source.close()
            raise SourceError(
                f'{path} is no lossless video of codes: it lacks the tag {_FORM_TAG}. Codes come '
                'back from .bdq and from the .mkv of tools/encode_video.py'
            )
        self.form = CameraForm.from_dict(json.loads(text))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (codes for _, codes in self.frames())

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Milliseconds from the first frame, and uint8 codes (H, W) or (H, W, 3)."""
        levels = np.zeros(256, np.uint8)
        levels[level_shades(self.form.num_levels)] = np.arange(self.form.num_levels)
        with self._source as source:
            for time_ms, pixels in source:
                yield time_ms, levels[pixels]


def level_shades(num_levels: int) -> np.ndarray:
    """The shade from 0 to 255 that shows each level, all different: uint8 (num_levels,)."""
    return np.rint(np.arange(num_levels) * (255 / (num_levels - 1))).astype(np.uint8)


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
