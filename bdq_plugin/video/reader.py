"""Reading frames from video files: exactly, or not at all.

A frame's index is its place in the order of presentation. To decode only what is needed, a reader
goes to the key frame before the first frame it wants, and in a file whose digest is right it leaves
out frames that nothing needs. It does so only where every packet is known to give one frame, checks
each frame's time stamp on the way, and otherwise decodes from the beginning. FFmpeg hides damage by
guessing pixels: here a damaged frame is an error, and a file ends before its first one.

FFmpeg (PyAV) is the only decoder. decord aborts the process on some damaged headers and gives wrong
frames for some widths (48, that of IXMAS, among them), and so does OpenCV's ``VideoCapture``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# Real video files alone: no playlist that names other files, no text that is drawn as a picture.
_FORMATS = 'avi,mov,matroska,mpeg,mpegts,mpegvideo,m4v,h264,hevc,ogg,flv,asf'
_CONTAINER_OPTIONS = {'protocol_whitelist': 'file', 'format_whitelist': _FORMATS}
# Report damage instead of painting it over.
_CODEC_OPTIONS = {'err_detect': 'explode'}
_LUMA_FORMATS = ('yuv420p', 'yuvj420p', 'yuv422p', 'yuvj422p', 'yuv444p', 'yuvj444p')
# Codecs whose FFmpeg decoder leaves out frames only where no other frame is made of them; HEVC's
# knows those that none of their own layer is made of.
_CODECS_TO_THIN = ('h264', 'mpeg4')
# Of small records, kept so that a file is examined once in a process.
_REMEMBERED_FILES = 4096


class VideoError(OSError):
    """A video file cannot be read; the message names the file."""


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

        With ``grey``, (T, H, W, 1): luma, which for a frame without colour is its grey value.
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
        self._trusted_length = num_frames
        self._is_unchanged = num_frames is not None and sha256 is not None
        self.fps = self._packets.fps
        if num_frames is not None and len(self) != num_frames:
            raise VideoError(
                _changed(self.path, f'it had {num_frames} frames and has {len(self)} now')
            )

    def __len__(self) -> int:
        # A header's count may be wrong, a packet may give no frame or two: only decoding tells.
        if self._trusted_length == self._packets.count:
            return self._packets.count
        return _count_frames(self._key)

    @property
    def can_seek(self) -> bool:
        """Whether every packet gives one frame, with a time stamp of its own."""
        return len(self) == self._packets.count == len(self._packets.times)

    def get_batch(
        self, indices: Sequence[int], grey: bool = False, allocate: Allocate = _new_array
    ) -> np.ndarray:
        """See :class:`VideoReader`.

        Args:
            indices: As for every reader.
            grey: As for every reader.
            allocate: Makes the array that is returned. It may be called more than once, and may
                give the same memory again.

        Raises:
            VideoError: the file ends before a frame or is damaged on the way to it.
        """
        wanted = _checked(indices)
        if wanted.max() >= len(self):
            raise VideoError(_too_short(self.path, wanted.max(), len(self)))
        ascending, places = np.unique(wanted, return_inverse=True)
        frames = self._decode(ascending.tolist(), grey, allocate)
        if np.array_equal(ascending, wanted):
            return frames
        batch = frames[places]
        frames = allocate(batch.shape)
        frames[:] = batch
        return frames

    def _decode(self, wanted: list[int], grey: bool, allocate: Allocate) -> np.ndarray:
        """Frames ``wanted``, which ascend."""
        if self.can_seek:
            try:
                return self._collect(wanted, _Clip(len(wanted), grey, allocate), straight=True)
            except VideoError:
                pass  # a container that seeks badly, or damage: the whole way will tell
        return self._collect(wanted, _Clip(len(wanted), grey, allocate))

    def _collect(self, wanted: list[int], clip: _Clip, straight: bool = False) -> np.ndarray:
        """Decode from the beginning of the file; ``straight``, by what is known of its packets."""
        position = start = self._key_before(wanted[0]) if straight else 0
        times = self._packets.times.tolist() if self.can_seek else None
        known_format = self._packets.format if straight else None
        try:
            with _open_container(self.path, known_format) as container:
                stream = container.streams.video[0]
                marks = needed = None
                if start > 0:
                    container.seek(times[start], stream=stream)
                if straight:
                    # An index at the end of the file that is damaged leads to other packets, and
                    # gives them the time stamps of the right ones.
                    marks = self._packets.marks[self._packets.order[start] if start > 0 else 0 :]
                    # In a file that may be damaged, a frame that is left out could be a lost one.
                    if self._is_unchanged and stream.codec_context.name in _CODECS_TO_THIN:
                        needed = {times[index] for index in wanted}
                for frame in _decode_all(container, marks, needed):
                    following = wanted[len(clip)]
                    if times is not None and frame.pts != times[position]:
                        if position == start and frame.pts is not None and frame.pts < times[start]:
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

    def _key_before(self, index: int) -> int:
        """The last key frame up to frame ``index``, else the first frame."""
        keys = self._packets.keys
        before = keys[keys <= index]
        return int(before[-1]) if before.size else 0


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
    count = _count_frames(file_key(path))
    if count == 0:
        raise VideoError(f'{path}: not one frame can be decoded')
    return count


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises as :func:`count_frames`."""
    return _digest(file_key(path))


# Path, size, time of change: a file that is written anew is examined anew.
FileKey = tuple[str, int, int]


@dataclass(frozen=True)
class _Packets:
    """What a pass over a file tells without decoding.

    Attributes:
        fps: Frames a second, 0 where the file does not say.
        format: FFmpeg's name of the container.
        marks: Position and size in bytes of each packet of the video stream, in their order.
        times: The time stamps of the packets, ascending; none where one is missing or stands twice.
        order: Which packet each of ``times`` belongs to.
        keys: Places in ``times`` of the key frames.
    """

    fps: float
    format: str
    marks: list[tuple[int, int]]
    times: np.ndarray
    order: np.ndarray
    keys: np.ndarray

    @property
    def count(self) -> int:
        """Number of packets."""
        return len(self.marks)


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
    path = key[0]
    marks, times, are_keys = [], [], []
    try:
        with _open_container(path) as container:
            stream = container.streams.video[0]
            fps = float(stream.average_rate or 0)
            name = container.format.name.partition(',')[0]  # FFmpeg lists all that it may be
            for packet in container.demux(stream):
                if packet.size:
                    marks.append((packet.pos, packet.size))
                    times.append(packet.pts)
                    are_keys.append(packet.is_keyframe)
    except av.error.FFmpegError as error:
        if not times:
            raise VideoError(f'{path}: not a readable video ({error})') from error
    if None in times or len(set(times)) < len(times):
        times, are_keys = [], []
    order = np.argsort(np.array(times, np.int64))
    keys = np.flatnonzero(np.array(are_keys, bool)[order])
    return _Packets(fps, name, marks, np.array(times, np.int64)[order], order, keys)


@lru_cache(_REMEMBERED_FILES)
def _count_frames(key: FileKey) -> int:
    count = 0
    try:
        with _open_container(key[0]) as container:
            for _ in _decode_all(container):
                count += 1
    except av.error.FFmpegError:
        pass  # what lies behind a damaged frame does not count
    return count


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


def _open_container(path: str, known_format: str | None = None) -> av.container.InputContainer:
    """Open a file; of a ``known_format`` neither format nor frame rate are searched for."""
    options = _CONTAINER_OPTIONS
    if known_format is not None:
        options = dict(options, fpsprobesize='0')
    try:
        # Titles and the like in a damaged header need not be UTF-8.
        container = av.open(path, format=known_format, options=options, metadata_errors='replace')
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f'{path}: not a readable video ({error})') from error
    video = container.streams.video
    if not video or video[0].codec_context is None:
        container.close()
        reason = 'its codec is unknown' if video else 'it has no video stream'
        raise VideoError(f'{path}: {reason}')
    return container


def _decode_all(
    container: av.container.InputContainer,
    marks: Sequence[tuple[int, int]] | None = None,
    needed: Collection[int] | None = None,
) -> Iterator[av.VideoFrame]:
    """Frames in the order of presentation.

    Args:
        container: An open file.
        marks: The packets that must come; at another one it ends.
        needed: Time stamps of frames. Others are left out where no frame is made of them.

    Raises:
        FFmpegError: At the first damaged frame.
    """
    stream = container.streams.video[0]
    codec = stream.codec_context
    codec.thread_count = 1
    codec.options = _CODEC_OPTIONS
    expected = iter(marks or ())
    for packet in container.demux(stream):
        if marks is not None and packet.size and (packet.pos, packet.size) != next(expected, None):
            return
        if needed is not None:
            codec.skip_frame = 'DEFAULT' if packet.pts in needed else 'NONREF'
        for frame in codec.decode(packet):
            if frame.is_corrupt:
                raise av.error.InvalidDataError(0, 'the frame is damaged')
            yield frame


class FrameSizeError(ValueError):
    """Frames of one clip differ in size."""


class _Clip:
    """Frames on their way into one array."""

    def __init__(self, length: int, grey: bool, allocate: Allocate) -> None:
        self._length, self._grey, self._allocate = length, grey, allocate
        self._filled = 0
        self._converter = VideoReformatter()
        self.frames: np.ndarray | None = None

    def __len__(self) -> int:
        return self._filled

    def append(self, frame: av.VideoFrame) -> None:
        pixels = self._pixels(frame)
        if self.frames is None:
            self.frames = self._allocate((self._length, *pixels.shape))
        if pixels.shape != self.frames.shape[1:]:
            raise FrameSizeError('its frames change size')
        self.frames[self._filled] = pixels
        self._filled += 1

    def _pixels(self, frame: av.VideoFrame) -> np.ndarray:
        luma = _stored_luma(frame) if self._grey else None
        if luma is None:
            # One thread: data loader workers are the parallelism.
            rgb = self._converter.reformat(frame, format='rgb24', threads=1).to_ndarray()
            if not self._grey:
                return rgb
            luma = luma_of_rgb(rgb)
        return luma[..., None]


def luma_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) -> (...): BT.601 luma, rounded as OpenCV does; of grey, the grey value."""
    if (rgb[..., :1] == rgb).all():
        return np.ascontiguousarray(rgb[..., 0])
    return ((rgb @ np.array([4899, 9617, 1868]) + 8192) >> 14).astype(np.uint8)


def _stored_luma(frame: av.VideoFrame) -> np.ndarray | None:
    """(H, W): the luma that the frame is stored with, from 0 to 255; None where it has none."""
    table = _luma_table(
        frame.format.name,
        frame.width,
        frame.height,
        int(frame.color_range),
        int(frame.colorspace),
    )
    if table is None:
        return None
    # Many times as fast as an array as index; of bytearray, twice as fast as of bytes.
    values = bytearray(_plane(frame.planes[0]).tobytes()).translate(table)
    return np.frombuffer(values, np.uint8).reshape(frame.height, frame.width)


@lru_cache(64)
def _luma_table(
    pix_fmt: str, width: int, height: int, color_range: int, colorspace: int
) -> bytes | None:
    """Grey value of each stored luma, read off FFmpeg's own conversion of a grey frame like it.

    None where the format stores no luma of 8 bits, or equal luma does not become equal grey.
    """
    if pix_fmt not in _LUMA_FORMATS or width * height < 256:
        return None
    luma = np.resize(np.arange(256, dtype=np.uint8), (height, width))
    probe = av.VideoFrame(width, height, pix_fmt)
    probe.color_range, probe.colorspace = color_range, colorspace
    for plane, values in zip(probe.planes, (luma, 128, 128), strict=True):
        _plane(plane)[:] = values
    rgb = VideoReformatter().reformat(probe, format='rgb24', threads=1).to_ndarray()
    table = np.empty(256, np.uint8)
    table[luma] = rgb[..., 0]
    return table.tobytes() if (table[luma][..., None] == rgb).all() else None


def _plane(plane: av.video.plane.VideoPlane) -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


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
