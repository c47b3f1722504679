"""What is read of a file, decided once for training and for streaming: its stream and its frames.

FFmpeg (PyAV) is the only decoder. decord aborts the process on some damaged headers and gives wrong
frames for some widths (48, that of IXMAS, among them), and so does OpenCV's ``VideoCapture``.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

# Real video files alone: no playlist that names other files, no text that is drawn as a picture.
_FORMATS = (
    'avi', 'mov', 'matroska', 'mpeg', 'mpegts', 'mpegvideo', 'm4v', 'h264', 'hevc', 'av1', 'obu',
    'ivf', 'ogg', 'flv', 'asf', 'gif', 'jpeg_pipe', 'yuv4mpegpipe', 'nut', 'mxf', 'dv', 'dhav',
    'rm', 'wtv',
)  # fmt: skip
# The size that a header claims decides how much memory a frame takes: two 8K pictures at most.
MAX_PIXELS = 2**26
_LIMITS = {'max_pixels': str(MAX_PIXELS)}
_FILE_OPTIONS = {'protocol_whitelist': 'file', 'format_whitelist': ','.join(_FORMATS), **_LIMITS}
_GUESS_TIMES = av.container.Flags.gen_pts.value
_CLOCK_MAY_JUMP = av.format.Flags.ts_discont.value
_HAS_NO_TIMES = av.format.Flags.no_timestamps.value
# Streams, which may begin between two key frames where a recording was cut out of them.
_MAY_BEGIN_ANYWHERE = _CLOCK_MAY_JUMP | _HAS_NO_TIMES


class VideoError(OSError):
    """A video cannot be read; the message names it."""


def open_file(
    path: str | os.PathLike, known_format: str | None = None, index: int | None = None
) -> tuple[InputContainer, VideoStream]:
    """Open a local file, and choose its stream.

    It is the one that FFmpeg's command line takes: the default one, else the largest, else the
    first; never a cover, a thumbnail or another picture that goes with sound or video. From here on
    the container makes up no time stamps.

    Args:
        path: The file.
        known_format: FFmpeg's name of its container, where that is known; then neither format nor
            frame rate are searched for.
        index: Of the stream, where that is known.

    Raises:
        VideoError: The file is no video: empty, unreadable, a playlist, a picture, sound alone.
    """
    options = _FILE_OPTIONS
    if known_format is not None:
        options = dict(options, fpsprobesize='0')
    path = os.fspath(path)
    # Titles and the like in a damaged header need not be UTF-8.
    opened = partial(av.open, format=known_format, options=options, metadata_errors='replace')
    try:
        try:
            # The whole path: before a colon in its first name, FFmpeg sees a protocol.
            container = opened(os.path.abspath(path))
        except av.error.ArgumentError:
            # Another format: the file's, or the one that the end of its name suggests.
            with open(path, 'rb') as file:
                container = opened(f'/dev/fd/{file.fileno()}')
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = reason_of(error)
        if isinstance(error, av.error.ArgumentError):
            reason = 'no video in any of the formats ' + ', '.join(_FORMATS)
        raise VideoError(f'{path}: not a readable video ({reason})') from error
    return _with_stream(container, path, index)


def _choose_stream(container: InputContainer, name: str, index: int | None) -> VideoStream:
    # Guessed from the order in which frames are stored, they are wrong where frames are reordered.
    container.flags &= ~_GUESS_TIMES
    streams = [stream for stream in container.streams.video if not _is_picture(stream)]
    if not streams:
        beside = ', only a picture' if container.streams.video else ''
        raise VideoError(f'{name}: it has no video stream{beside}')
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if index is not None:
        decodable = [stream for stream in decodable if stream.index == index]
    if not decodable:
        raise VideoError(f'{name}: its codec is unknown')
    stream = max(decodable, key=_rank)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(
            f'{name}: its header claims pictures of {width} x {height}; '
            f'up to {MAX_PIXELS:,} pixels are read'
        )
    return stream


def open_address(url: str, timeout: float) -> tuple[InputContainer, VideoStream]:
    """Open an address, and choose its stream.

    Args:
        url: Of any protocol that FFmpeg knows.
        timeout: Seconds that the other side may stay silent.

    Raises:
        VideoError: Nobody answers, or with something else than video.
    """
    # TCP: with UDP a lossy network shows as smeared frames instead of as an error.
    options = {'rtsp_transport': 'tcp'} if url.lower().startswith('rtsp') else {}
    name = public_name(url)
    try:
        container = av.open(
            url, options={**_LIMITS, **options}, timeout=timeout, metadata_errors='replace'
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f'{name}: cannot be opened ({reason_of(error)})') from error
    return _with_stream(container, name)


def public_name(name: str) -> str:
    """A source's name without the password that an address may carry."""
    scheme, mark, rest = name.partition('://')
    host, slash, path = rest.partition('/')
    return f'{scheme}://{host.rpartition("@")[2]}{slash}{path}' if mark else name


def _with_stream(
    container: InputContainer, name: str, index: int | None = None
) -> tuple[InputContainer, VideoStream]:
    try:
        return container, _choose_stream(container, name, index)
    except VideoError:
        container.close()
        raise


def clock_may_jump(container: InputContainer) -> bool:
    """Whether its container is one whose clock may begin anew on the way (MPEG-TS, MPEG-PS)."""
    return bool(container.format.flags & _CLOCK_MAY_JUMP)


def frame_rate(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Nominal frames a second, None where the source does not say.

    Of a stream without a container, FFmpeg's guess of half of its default of 25 is twice too high.
    """
    own = stream.codec_context.framerate
    return own if own and container.format.flags & _HAS_NO_TIMES else stream.guessed_rate


def demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Packets of a stream, and an empty one at the end, which gives the frames that wait.

    PyAV's own loop may stumble at the end over streams that have appeared on the way, as they do
    in MPEG-TS; that of the stream asked for has come by then.
    """
    with contextlib.suppress(IndexError):
        yield from container.demux(stream)


# A packet's position and size in bytes, and its time stamp: what tells it from another one, and
# what a damaged index may have wrong.
Mark = tuple[int, int, int | None]


def mark_of(packet: av.Packet) -> Mark:
    """What must be the same when a packet comes again."""
    return packet.pos, packet.size, packet.pts


def decode(
    packets: Iterable[av.Packet],
    stream: VideoStream,
    *,
    threads: int = 1,
    lossy: bool = False,
    marks: Sequence[Mark] | None = None,
    needed: Collection[int] | None = None,
) -> Iterator[av.VideoFrame]:
    """Frames in the order of presentation, up to the first damaged one.

    FFmpeg hides damage by guessing pixels; here it is an error. Where MPEG-TS, MPEG-PS and streams
    without a container begin between two key frames, what comes before the first is none.

    Args:
        packets: Of the stream, with the empty one at the end.
        stream: Of an open container.
        threads: Of the decoder, 0 for one a core.
        lossy: A live stream: show what FFmpeg makes of a damaged frame, and go on behind up to 50
            packets in a row that it can make nothing of.
        marks: Of the packets that must come; at another one it ends.
        needed: Time stamps of frames. Others are left out where no frame is made of them.

    Raises:
        FFmpegError: At the first damaged frame.
    """
    codec = stream.codec_context
    decode_packet = _decode_ffv1 if codec.name == 'ffv1' else type(codec).decode
    codec.thread_count = 1 if codec.name == 'ffv1' else threads
    codec.options = _LIMITS if lossy else dict(_LIMITS, err_detect='crccheck+explode')
    begun = not stream.container.format.flags & _MAY_BEGIN_ANYWHERE
    expected, failures = iter(marks or ()), 0
    for packet in packets:
        if marks is not None and packet.size and mark_of(packet) != next(expected, None):
            return
        if needed is not None:
            codec.skip_frame = 'DEFAULT' if packet.pts in needed else 'NONREF'
        if not begun and packet.is_keyframe:
            begun = True
            if failures:
                codec.flush_buffers()  # what leads to the key frame is not to be looked for
        try:
            frames = decode_packet(codec, packet)
        except av.error.FFmpegError:
            failures += 1
            if begun and not (lossy and failures <= _TOLERATED):
                raise
            continue
        for frame in frames:
            failures = 0
            if frame.is_corrupt and not lossy:
                raise av.error.InvalidDataError(errno.EINVAL, 'the frame is damaged')
            yield frame


def reason_of(error: Exception) -> str:
    """An error of PyAV in words."""
    if isinstance(error, av.error.ExitError):  # what PyAV's timeout makes of a silent stream
        return 'nothing came before the timeout'
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


# Packets that a live stream may lose in a row: it begins between two key frames, or drops some.
_TOLERATED = 50


def _decode_ffv1(codec: av.VideoCodecContext, packet: av.Packet) -> list[av.VideoFrame]:
    """FFmpeg's FFV1 mentions a wrong checksum in its log, and gives the frame all the same; the
    option that would make it fail does not reach it.
    """
    level, skip_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # the same damage, when it is read again
    try:
        with av.logging.Capture() as log:  # of this thread: it must be the one that decodes
            frames = codec.decode(packet)
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip_repeated)
    if any('CRC mismatch' in text for _, _, text in log):
        raise av.error.InvalidDataError(errno.EINVAL, 'its checksum is wrong')
    return frames


_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def _is_picture(stream: VideoStream) -> bool:
    return bool(stream.disposition.value & _PICTURES.value)


def _rank(stream: VideoStream) -> tuple[bool, int, int]:
    codec = stream.codec_context
    is_default = bool(stream.disposition.value & Disposition.default.value)
    return is_default, codec.width * codec.height, -stream.index
