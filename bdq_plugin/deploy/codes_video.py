"""Codes as a video: viewable by any player, and read back exactly from the lossless kind."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from ..camera_form import CameraForm
from ..video.container import VideoError, decode, open_file, reason_of
from ..video.extent import missing_bytes
from ..video.source import SourceError
from .packed import MAGIC, MAX_VALUES, PackedReader
from .sinks import STANDARD_OUTPUT, StandardOutput, is_stream, open_sink, scheme_of, shown

# Of streams for looking at: H.264, or a JPEG a frame.
STREAM_CODECS = ('h264', 'mjpeg')
_FORM_TAG = 'BDQ_FORM'
# AV_CODEC_FLAG_BITEXACT: no version of the library in the stream.
_BITEXACT = 1 << 23
# What the lossless writer makes of grey and of colour; all else that carries the tag is a copy.
_CODEC, _GREY, _COLOUR = 'ffv1', 'gray', 'bgr0'
_FORMATS = {'.mkv': 'matroska', '.mp4': 'mp4', '.ts': 'mpegts', '.mjpeg': 'mjpeg'}
_MATROSKA = b'\x1aE\xdf\xa3'


class NoCodesError(SourceError):
    """A video that never was one of codes: nothing in it says so."""


class CodesVideoWriter:
    """Codes as a video that players open, scaled to the range 0 to 255.

    ``.mkv`` is FFV1, lossless: :class:`CodesVideoReader` gives the codes back exactly. ``.mp4`` is
    H.264 for looking at, in any player and browser; it is lossy, so no codes come back from it.
    ``.ts`` is the same as an MPEG transport stream, which may be read from any second on, and
    ``.mjpeg`` a JPEG a frame, one behind the other. ``-``, which is standard output, and addresses
    (``rtsp://``, ``http://``, ``tcp://``, ``udp://``) are one of these two, by ``codec``.

    All are written in pieces that stay readable when the rest is missing. The container has no
    tags but the encoder in whole numbers (``BDQ_FORM``, .mkv alone) and no time of day.

    Args:
        path: file to make, ``.mkv``, ``.mp4``, ``.ts`` or ``.mjpeg``; an existing one is replaced.
            Or ``-``, or an address.
        form: the encoder that made the codes.
        shape: of every frame of codes, (H, W) or (H, W, 3).
        frame_rate: nominal frames a second; each frame carries its own time.
        codec: of standard output and addresses, ``'h264'`` or ``'mjpeg'``.
        timeout: seconds that an address may take to accept what is sent.
        threads: of the codec, 0 for one a core.

    Attributes:
        frames (int): how many were handed to the file.
        bytes_written (int): size of what has left; of an address without its protocol's part.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        form: CameraForm,
        shape: tuple[int, ...],
        *,
        frame_rate: Fraction | int = 25,
        codec: str = 'h264',
        timeout: float = 10.0,
        threads: int = 1,
    ) -> None:
        self.name, self.shape = os.fspath(path), tuple(shape)
        if len(shape) == 3 and shape[2] != 3:
            raise ValueError(f'a video has 1 or 3 channels, got frames of {shape}; write .bdq')
        self._sink: StandardOutput | None = None
        self._streamed = is_stream(self.name)
        file_format, codec = self._kind(codec)
        self.lossless = codec == _CODEC
        self._grey, self.frames, self._closed = len(shape) == 2, 0, False
        self._sent = 0
        self._scale = level_shades(form.num_levels)
        height, width = shape[:2]
        # 4:2:0 needs even sizes; one row or column is repeated.
        self._margins = ((0, 0), (0, 0)) if self.lossless else ((0, height % 2), (0, width % 2))
        options = {'fflags': '+bitexact', 'flush_packets': '1'}
        if self.lossless:
            # Each cluster is whole on its own, and each slice has its own CRC.
            options['cluster_time_limit'] = '1000'
            pix_fmt = _GREY if self._grey else _COLOUR
            # The range coder (1) writes a third of what the default Golomb codes (0) do.
            codec_options = {'level': '3', 'slicecrc': '1', 'coder': '1', 'g': '25'}
        elif codec == 'mjpeg':
            # RTP knows JPEG's own tables of Huffman alone.
            pix_fmt, codec_options = 'yuvj420p', {'huffman': 'default'}
        else:
            pix_fmt = 'yuv420p'
            codec_options = {'crf': '18', 'preset': 'veryfast', 'tune': 'zerolatency', 'g': '25'}
        if file_format == 'mp4':
            options['movflags'] = '+frag_keyframe+empty_moov+default_base_moof'
        if file_format == 'rtsp':
            options |= {'rtsp_transport': 'tcp', 'timeout': str(round(timeout * 1e6))}
        try:
            self._sink = open_sink(self.name, timeout)
            file = self._sink or (self.name if self._streamed else _file(self.name))
            self._container = av.open(file, 'w', format=file_format, options=options)
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
            if codec == 'mjpeg':
                stream.codec_context.qmin = stream.codec_context.qmax = 3
            self._stream = stream
            self._container.start_encoding()  # a path that cannot be written fails here
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error) from error

    @property
    def bytes_written(self) -> int:
        if self._streamed:
            return self._sink.bytes_written if self._sink else self._sent
        return os.path.getsize(self.name) if os.path.exists(self.name) else 0

    def write(self, codes: np.ndarray, time_ms: int) -> None:
        """Add a frame of uint8 levels at a time in ms, later than the one before."""
        if codes.shape != self.shape or codes.dtype != np.uint8:
            raise ValueError(
                f'{self.name} takes uint8 frames of {self.shape}, got {codes.dtype} {codes.shape}'
            )
        margins = self._margins if self._grey else (*self._margins, (0, 0))
        pixels = np.pad(self._scale[codes], margins, mode='edge')
        frame = av.VideoFrame.from_ndarray(pixels, format='gray' if self._grey else 'rgb24')
        frame = frame.reformat(format=self._stream.pix_fmt, threads=1)
        frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
        self._mux(frame)
        self.frames += 1

    def close(self) -> None:
        """Finish the file. Safe to call again."""
        if self._closed:
            return
        try:
            if self.frames:
                self._mux(None)
        finally:
            self._close_container()

    def __enter__(self) -> CodesVideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _kind(self, codec: str) -> tuple[str, str]:
        """The container's format and the codec, in FFmpeg's names, that the output's name means."""
        if codec not in STREAM_CODECS:
            raise ValueError(f"unknown codec '{codec}': a stream is one of {STREAM_CODECS}")
        if self._streamed:
            kind = '.mjpeg' if codec == 'mjpeg' else '.ts'
        else:
            kind = Path(self.name).suffix.lower()
        if kind not in _FORMATS:
            raise ValueError(
                f'{self.name}: codes are viewable as .mkv (lossless), .mp4, .ts or .mjpeg'
            )
        file_format = 'rtsp' if scheme_of(self.name) == 'rtsp' else _FORMATS[kind]
        return file_format, {'.mkv': _CODEC, '.mjpeg': 'mjpeg'}.get(kind, 'libx264')

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
            self._sent += sum(packet.size for packet in packets)
            self._container.mux(packets)
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
            if self._sink:
                self._sink.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OSError:
        if self.name == STANDARD_OUTPUT:
            return OSError(
                getattr(error, 'errno', None) or errno.EIO,
                f'cannot write to standard output ({reason_of(error)}) after {self.frames} frames: '
                'whoever read it has gone',
            )
        if self._streamed:
            return OSError(
                getattr(error, 'errno', None) or errno.EIO,
                f'cannot send to {shown(self.name)} ({reason_of(error)}) after {self.frames} '
                'frames: does somebody listen there?',
            )
        kept = (
            f'; of the {self.frames} frames before it holds all but those of the last second'
            if self.frames
            else ''
        )
        return OSError(
            getattr(error, 'errno', None) or errno.EIO,
            f'cannot write {self.name} ({reason_of(error)}){kept}. Free space or choose another '
            'disk',
        )


class CodesVideoReader:
    """Read the codes of a lossless ``.mkv`` back; like :class:`PackedReader` to iterate over.

    It takes what :class:`CodesVideoWriter` has made, byte for byte or with its container written
    anew. A copy that was encoded anew is refused: by its codec or its pixels' format, and else at
    the first shade that stands for no level. (With 256 levels every shade stands for one.)

    Args:
        path: the file.

    Attributes:
        form (CameraForm): the encoder that made the codes.
        frame_rate (Fraction): nominal frames a second.
        shape (tuple): of every frame of codes, (H, W) or (H, W, 3).
        num_frames (int): 0, for the file does not say.

    Raises:
        FileNotFoundError: no such file.
        NoCodesError: a video of something else.
        SourceError: no video, or a copy that does not hold the codes any more.
    """

    num_frames = 0

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'no video of codes {self.path}')
        with _opened(self.path) as (container, stream):
            text = container.metadata.get(_FORM_TAG)
            if text is None:
                raise NoCodesError(
                    f'{path} is no lossless video of codes: it lacks the tag {_FORM_TAG}. Codes '
                    'come back from .bdq and from the .mkv of tools/encode_video.py'
                )
            self.form = self._parse_form(text)
            self._check_video(stream.codec_context)
            size = stream.codec_context.height, stream.codec_context.width
            self.shape = size if stream.codec_context.pix_fmt == _GREY else (*size, 3)
            self.frame_rate = Fraction(stream.guessed_rate or 25)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames of codes, in order; see :meth:`frames`."""
        return (codes for _, codes in self.frames())

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Milliseconds from the first frame, and uint8 codes (H, W) or (H, W, 3).

        Raises:
            SourceError: at damage and at a shade that is no level, after every frame before it.
        """
        shades = level_shades(self.form.num_levels)
        levels, known = np.zeros(256, np.uint8), np.zeros(256, bool)
        levels[shades], known[shades] = np.arange(self.form.num_levels), True
        pixel_format = 'gray' if len(self.shape) == 2 else 'rgb24'
        count, first = 0, None
        with _opened(self.path) as (container, stream):
            for frame in self._decoded(container, stream):
                pixels = frame.reformat(format=pixel_format, threads=1).to_ndarray()
                if not known[pixels].all():
                    shade = int(pixels[~known[pixels]][0])
                    raise SourceError(
                        f'{self.path}: frame {count} holds the shade {shade}, which is none of the '
                        f'{self.form.num_levels} levels: the codes were changed. {_ASK}'
                    )
                time = frame.pts * frame.time_base
                first = time if first is None else first
                yield round(1000 * (time - first)), levels[pixels]
                count += 1

    def _parse_form(self, text: str) -> CameraForm:
        try:
            return CameraForm.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise SourceError(f'{self.path}: its tag {_FORM_TAG} is malformed ({error})') from error

    def _check_video(self, codec: av.VideoCodecContext) -> None:
        if codec.name != _CODEC or codec.pix_fmt not in (_GREY, _COLOUR):
            raise SourceError(
                f'{self.path}: it is {codec.name} in {codec.pix_fmt}, but codes are written as '
                f'{_CODEC} in {_GREY} or {_COLOUR}: someone has encoded the codes anew, with '
                f'loss. {_ASK}'
            )
        # Before a frame is made room for.
        if codec.width * codec.height * (1 if codec.pix_fmt == _GREY else 3) > MAX_VALUES:
            raise SourceError(f'{self.path}: names frames of {codec.width} x {codec.height}')

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            for frame in decode(container.demux(stream), stream):
                yield frame
                count += 1
        except (av.error.FFmpegError, OSError) as error:
            raise self._broken(count, reason_of(error)) from error
        if missing := missing_bytes(str(self.path)):
            raise self._broken(count, f'the file is cut, {missing:,} bytes are missing')

    def _broken(self, count: int, reason: str) -> SourceError:
        return SourceError(f'{self.path}: breaks off after {count} frames ({reason})')


_ASK = 'Ask for the file as tools/encode_video.py wrote it'


def open_codes(path: str | os.PathLike) -> PackedReader | CodesVideoReader | None:
    """A reader of codes where a file holds some, whatever its name; None where it is a clear video.

    Raises:
        FileNotFoundError, PackedError: ``path`` ends in .bdq and is no packed file.
        SourceError: a copy of a video of codes that does not hold them any more.
    """
    start = _first_bytes(path)
    if start.startswith(MAGIC) or Path(path).suffix.lower() == '.bdq':
        return PackedReader(path)
    if start.startswith(_MATROSKA):
        with suppress(NoCodesError):
            return CodesVideoReader(path)
    return None


def holds_codes(path: str | os.PathLike) -> bool:
    """Whether a file says that it holds codes, by its first bytes or its tag, readable or not."""
    start = _first_bytes(path)
    if not start.startswith(_MATROSKA):
        return start.startswith(MAGIC)
    with suppress(SourceError), _opened(Path(path)) as (container, _):
        return _FORM_TAG in container.metadata
    return False


def _first_bytes(path: str | os.PathLike) -> bytes:
    if os.path.isfile(path):  # a pipe would wait for its writer
        with suppress(OSError), open(path, 'rb') as file:
            return file.read(len(MAGIC))
    return b''


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        container, stream = open_file(path)
    except VideoError as error:
        raise SourceError(str(error)) from error
    with container:
        yield container, stream


def level_shades(num_levels: int) -> np.ndarray:
    """The shade from 0 to 255 that shows each level, all different: uint8 (num_levels,)."""
    return np.rint(np.arange(num_levels) * (255 / (num_levels - 1))).astype(np.uint8)


def _file(path: str) -> str:
    # Without the protocol FFmpeg takes what stands before a colon in a name for one.
    return f'file:{path}'
