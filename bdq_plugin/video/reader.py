"""Reading frames of video files by index: exactly, or not at all.

A frame's index is its place in the order of presentation. To decode only what is needed, a reader
goes to the key frame before the first frame it wants, and in a file whose digest is right it leaves
out frames that nothing needs. It does so only where every packet is known to give one frame, checks
each frame's time stamp on the way, and otherwise decodes from the beginning. FFmpeg hides damage by
guessing pixels: here a damaged frame is an error, and a file ends before its first one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from .clock import Clock
from .container import (
    Mark,
    VideoError,
    clock_may_jump,
    decode,
    demux,
    frame_rate,
    mark_of,
    open_file,
    reason_of,
)
from .pixels import RGBConverter, luma_of_rgb

# Containers that store a time for each frame, and lead to the packet that they are asked for.
_FORMATS_TO_SEEK = ('avi', 'mov', 'matroska', 'flv', 'mpegts', 'asf')
# Codecs whose FFmpeg decoder leaves out frames only where no other frame is made of them; HEVC's
# knows those that none of their own layer is made of.
_CODECS_TO_THIN = ('h264', 'mpeg4')
# Of small records, kept so that a file is examined once in a process.
_REMEMBERED_FILES = 4096


# Makes an array of uint8 of a shape.
Allocate = Callable[[tuple[int, ...]], np.ndarray]


def _new_array(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


class VideoReader(Protocol):
    """What every reader offers: frames a second, and frames by index."""

    fps: float

    def __len__(self) -> int:
        """Number of frames that can be decoded."""

    def get_batch(self, indices: Sequence[int], grey: bool = False) -> np.ndarray:
        """Frames ``indices`` (0-based, any order, repeats allowed) as uint8 RGB, (T, H, W, 3).

        With ``grey``, (T, H, W, 1): their luma, which for a frame without colour is its grey value.
        """


class VideoFile:
    """Reader of one video file. Decodes from the last key frame before the first frame it is asked
    for, where that is exact.

    Args:
        path: The video file.
        num_frames: How many frames have been decoded before, when the file was prepared. It saves
            decoding the whole file to count them.
        sha256: Hexadecimal digest of the file as it was then.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file is empty, unreadable, not a video, has no video stream, or is not as it
            was prepared.
    """

    def __init__(
        self, path: str | Path, num_frames: int | None = None, sha256: str | None = None
    ) -> None:
        self.path = str(path)
        self._key = file_key(self.path)
        if sha256 is not None and _digest(self._key) != sha256.lower():
            raise VideoError(_changed(self.path, 'its bytes are others'))
        self._packets = _read_packets(self._key)
        # A header's count may be wrong, a packet may give no frame or two: only decoding tells,
        # which the count that came of it, beside as many packets, has told.
        self._is_counted = num_frames is not None and num_frames == self._packets.num_shown
        self._is_unchanged = num_frames is not None and sha256 is not None
        self.fps = self._packets.fps
        if num_frames is not None and len(self) != num_frames:
            raise VideoError(
                _changed(self.path, f'it had {num_frames} frames and has {len(self)} now')
            )

    def __len__(self) -> int:
        if self._is_counted:
            return self._packets.num_shown
        return len(_decode_all(self._key).times)

    def size(self) -> tuple[int, int]:
        """Height and width of all frames, upright. Decodes the whole file.

        Raises:
            VideoError: They change on the way, or there is no frame.
        """
        sizes = _decode_all(self._key).sizes
        if not sizes:
            raise VideoError(f'{self.path}: not one frame can be decoded')
        (_, first), *others = sizes.items()
        if others:
            (count, second), *_ = others
            raise VideoError(
                f'{self.path}: changes from {first[1]} x {first[0]} to {second[1]} x {second[0]} '
                f'after {count} frames; cut it there'
            )
        return first

    def times_ms(self) -> list[int]:
        """Milliseconds from the first frame to each one, as :class:`Clock` counts them."""
        container, stream = open_file(self.path)
        with container:
            rate = Fraction(frame_rate(container, stream) or 25)
            clock = Clock(stream.time_base, rate, clock_may_jump(container))
            return [clock(frame) for frame in _before_damage(container, stream)]

    @property
    def can_seek(self) -> bool:
        """Whether every packet gives one frame, with a time stamp of its own."""
        times = self._packets.times
        if times.size == 0 or self._is_counted:
            return times.size > 0
        return np.array_equal(times, _decode_all(self._key).times)

    def get_batch(
        self, indices: Sequence[int], grey: bool = False, allocate: Allocate = _new_array
    ) -> np.ndarray:
        """See :class:`VideoReader`.

        Args:
            indices: As for every reader.
            grey: As for every reader.
            allocate: Makes the array of the RGB frames. It may be called more than once, and may
                give the same memory again.

        Raises:
            VideoError: the file ends before a frame or is damaged on the way to it.
        """
        wanted = _checked(indices)
        if wanted.max() >= len(self):
            raise VideoError(_too_short(self.path, wanted.max(), len(self)))
        ascending, places = np.unique(wanted, return_inverse=True)
        frames = self._decode(ascending.tolist(), allocate)
        if not np.array_equal(ascending, wanted):
            batch = frames[places]
            frames = allocate(batch.shape)
            frames[:] = batch
        return luma_of_rgb(frames)[..., None] if grey else frames

    def _decode(self, wanted: list[int], allocate: Allocate) -> np.ndarray:
        """Frames ``wanted``, which ascend."""
        if self.can_seek:
            try:
                return self._collect(wanted, _Clip(len(wanted), allocate), straight=True)
            except VideoError:
                pass  # a container that seeks badly, or damage: the whole way will tell
        return self._collect(wanted, _Clip(len(wanted), allocate))

    def _collect(self, wanted: list[int], clip: _Clip, straight: bool = False) -> np.ndarray:
        """Decode from the beginning of the file; ``straight``, by what is known of its packets."""
        packets = self._packets
        times = packets.times.tolist() if self.can_seek else None
        start = _Start() if not straight else packets.start_for(wanted[0])
        position = start.position
        known = (packets.format, packets.stream) if straight else ()
        try:
            container, stream = open_file(self.path, *known)
            with container:
                marks = needed = None
                if start.time is not None:
                    container.seek(start.time, stream=stream)
                if straight:
                    # An index at the end of the file that is damaged leads to other packets with
                    # the time stamps of the right ones, or to the right ones with others.
                    marks = packets.marks[start.packet :]
                    # In a file that may be damaged, a frame that is left out could be a lost one.
                    if self._is_unchanged and stream.codec_context.name in _CODECS_TO_THIN:
                        needed = {times[index] for index in wanted}
                for frame in decode(demux(container, stream), stream, marks=marks, needed=needed):
                    clip.see(frame)
                    following = wanted[len(clip)]
                    if times is not None and frame.pts != times[position]:
                        if position == start.position and _is_earlier(frame, times[position]):
                            continue  # shown before the key frame, though stored behind it
                        while needed and position < following and frame.pts != times[position]:
                            position += 1  # left out
                        if frame.pts != times[position]:
                            break
                    if position == following:
                        clip.append(frame)
                        if len(clip) == len(wanted):
                            return clip.frames
                    position += 1
        except av.error.FFmpegError as error:
            raise VideoError(f'{self.path}: damaged at frame {position} ({error})') from error
        except FrameSizeError as error:
            raise VideoError(f'{self.path}: {error}') from error
        except MemoryError as error:
            raise VideoError(f'{self.path}: its frames do not fit into memory') from error
        raise VideoError(f'{self.path}: damaged at frame {position} (no such frame)')


class ArrayReader:
    """Frames that are in memory already, under the indices they have in their video.

    Args:
        frames: uint8, (T, H, W, 3), or (T, H, W, 1) for grey frames.
        first: Index, in the video, of ``frames[0]``.
        fps: Frames a second of the video.
    """

    def __init__(self, frames: np.ndarray, first: int = 0, fps: float = 0.0) -> None:
        self.frames, self.first, self.fps = frames, first, fps

    def __len__(self) -> int:
        return self.first + len(self.frames)

    def get_batch(self, indices: Sequence[int], grey: bool = False) -> np.ndarray:
        """See :class:`VideoReader`. Always a copy: stock ``Flip`` works in place."""
        wanted = _checked(indices) - self.first
        if wanted.min() < 0 or wanted.max() >= len(self.frames):
            raise IndexError(
                f'frames {list(indices)} reach out of the cached range '
                f'{self.first} to {len(self) - 1}'
            )
        frames = self.frames[wanted]
        if grey:
            return frames if frames.shape[3] == 1 else luma_of_rgb(frames)[..., None]
        return np.repeat(frames, 3 // frames.shape[3], axis=3)


def open_video(
    path: str | Path, num_frames: int | None = None, sha256: str | None = None
) -> VideoReader:
    """Open a video file in this process; arguments and errors as :class:`VideoFile`."""
    return VideoFile(path, num_frames, sha256)


def count_frames(path: str | Path) -> int:
    """Number of frames of a video before the first damaged one, counted by decoding it.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file holds no frame that can be decoded.
    """
    count = len(_decode_all(file_key(path)).times)
    if count == 0:
        raise VideoError(f'{path}: not one frame can be decoded')
    return count


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises as :func:`count_frames`."""
    return _digest(file_key(path))


# Path, size, time of change: a file that is written anew is examined anew.
FileKey = tuple[str, int, int]


@dataclass(frozen=True)
class _Start:
    """Where decoding begins: by default at the beginning.

    Attributes:
        time: The time stamp to seek to, None for none.
        packet: Which packet comes first.
        position: Index of the first frame that it gives.
    """

    time: int | None = None
    packet: int = 0
    position: int = 0


@dataclass(frozen=True)
class _Packets:
    """What a pass over a file tells without decoding.

    Attributes:
        fps: Frames a second, 0 where the file does not say.
        format: FFmpeg's name of the container.
        stream: Index of the stream that is read.
        marks: Of each packet of the stream, in their order.
        num_shown: Number of packets whose frames are shown; an edit list hides the others.
        times: Time stamps of the frames that are shown, ascending; none where they do not tell
            which packet a frame is of.
        key_times: Time stamps of the key frames, hidden ones too, ascending.
        key_packets: Which packet each of them is.
    """

    fps: float
    format: str
    stream: int
    marks: list[Mark]
    num_shown: int
    times: np.ndarray
    key_times: np.ndarray
    key_packets: np.ndarray

    def start_for(self, index: int) -> _Start:
        """The last key frame up to frame ``index``, else the beginning."""
        key = np.searchsorted(self.key_times, self.times[index], side='right') - 1
        if key < 0 or self.key_packets[key] == 0:
            return _Start()
        time = int(self.key_times[key])
        return _Start(time, int(self.key_packets[key]), int(np.searchsorted(self.times, time)))


def file_key(path: str | Path) -> FileKey:
    # A missing file is told from an unreadable one here, for PyAV's error is both at once.
    path = os.path.abspath(path)
    try:
        if not os.path.isfile(path):
            raise FileNotFoundError(f'no video file {path}')
        status = os.stat(path)
    except PermissionError as error:
        raise VideoError(f'{path}: not a readable video ({error})') from error
    return path, status.st_size, status.st_mtime_ns


@lru_cache(_REMEMBERED_FILES)
def _read_packets(key: FileKey) -> _Packets:
    path, packets = key[0], []
    container, stream = open_file(path)
    with container:
        try:
            for packet in demux(container, stream):
                if packet.size:
                    packets.append(_Packet.of(packet))
        except av.error.FFmpegError as error:
            if not packets:
                raise VideoError(f'{path}: not a readable video ({reason_of(error)})') from error
        name = container.format.name.partition(',')[0]  # FFmpeg lists all that it may be
        tells = name in _FORMATS_TO_SEEK and _tell_frames(packets, stream)
        fps, index = float(frame_rate(container, stream) or 0), stream.index
    shown = [packet.pts for packet in packets if not packet.is_hidden]
    keys = sorted((packet.pts, i) for i, packet in enumerate(packets) if packet.is_key and tells)
    return _Packets(
        fps=fps,
        format=name,
        stream=index,
        marks=[packet.mark for packet in packets],
        num_shown=len(shown),
        times=np.array(sorted(shown) if tells else [], np.int64),
        key_times=np.array([time for time, _ in keys], np.int64),
        key_packets=np.array([i for _, i in keys], np.int64),
    )


class _Packet(NamedTuple):
    """What is kept of a packet while a file is examined."""

    mark: Mark
    dts: int | None
    is_key: bool
    is_hidden: bool

    @classmethod
    def of(cls, packet: av.Packet) -> _Packet:
        return cls(mark_of(packet), packet.dts, packet.is_keyframe, packet.is_discard)

    @property
    def pts(self) -> int | None:
        return self.mark[-1]


def _tell_frames(packets: Sequence[_Packet], stream: VideoStream) -> bool:
    """Whether the time stamps of packets tell which one a frame is of, and its place."""
    codec = stream.codec_context
    times = [packet.pts for packet in packets]
    stored = [packet.dts for packet in packets if packet.dts is not None]
    return (
        None not in times
        and len(set(times)) == len(times)
        # Else the clock begins anew on the way.
        and all(a < b for a, b in pairwise(stored))
        # Else they say when a packet is stored, and frames are shown in another order.
        and not (codec.has_b_frames and all(packet.pts == packet.dts for packet in packets))
        # The palette is stored beside the frame that brings a new one.
        and codec.pix_fmt != 'pal8'
    )


def _is_earlier(frame: av.VideoFrame, time: int) -> bool:
    return frame.pts is not None and frame.pts < time


class _Frames(NamedTuple):
    """What decoding a file tells of all frames before the first damaged one.

    Attributes:
        times: Their time stamps, -1 for none.
        sizes: (H, W) upright, by the index of the first frame that has it.
    """

    times: np.ndarray
    sizes: dict[int, tuple[int, int]]


@lru_cache(_REMEMBERED_FILES)
def _decode_all(key: FileKey) -> _Frames:
    times, sizes, size, converter = [], {}, None, RGBConverter()
    container, stream = open_file(key[0])
    with container:
        for frame in _before_damage(container, stream):
            if size != (size := converter.see(frame)):
                sizes[len(times)] = size
            times.append(-1 if frame.pts is None else frame.pts)
    return _Frames(np.array(times, np.int64), sizes)


def _before_damage(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    with suppress(av.error.FFmpegError):  # what lies behind a damaged frame does not count
        yield from decode(demux(container, stream), stream)


@lru_cache(_REMEMBERED_FILES)
def _digest(key: FileKey) -> str:
    digest = hashlib.sha256()
    try:
        with open(key[0], 'rb') as file:
            while part := file.read(2**20):
                digest.update(part)
    except OSError as error:
        raise VideoError(f'{key[0]}: not a readable video ({error})') from error
    return digest.hexdigest()


class FrameSizeError(ValueError):
    """Frames of one clip differ in size."""


class _Clip:
    """Frames on their way into one array."""

    def __init__(self, length: int, allocate: Allocate) -> None:
        self._length, self._allocate = length, allocate
        self._filled = 0
        self._to_rgb = RGBConverter()
        self.frames: np.ndarray | None = None

    def __len__(self) -> int:
        return self._filled

    def see(self, frame: av.VideoFrame) -> None:
        self._to_rgb.see(frame)

    def append(self, frame: av.VideoFrame) -> None:
        pixels = self._to_rgb(frame)
        if self.frames is None:
            self.frames = self._allocate((self._length, *pixels.shape))
        if pixels.shape != self.frames.shape[1:]:
            raise FrameSizeError('its frames change size')
        self.frames[self._filled] = pixels
        self._filled += 1


def _checked(indices: Sequence[int]) -> np.ndarray:
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    if wanted.size == 0:
        raise ValueError('no frame index was given')
    if wanted.min() < 0:
        raise IndexError(f'negative frame index {wanted.min()}')
    return wanted


def _changed(path: str, how: str) -> str:
    return (
        f'{path} is not as it was prepared: {how}. '
        'Copy it anew, or run the prepare tool again if it is meant to differ.'
    )


def _too_short(path: str, index: int, count: int) -> str:
    return (
        f'{path}: frame {index} was asked for, but only {count} frames can be decoded. '
        'Is the file truncated? Copy it anew and run the prepare tool again.'
    )
