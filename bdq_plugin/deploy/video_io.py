"""Viewable codes: videos that any player opens, and the codes back from the lossless ones.

Written and read by PyAV. Where the frames to encode come from: :mod:`bdq_plugin.video.source`.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..camera_form import CameraForm
from ..video.container import VIDEO_SUFFIXES, public_name, reason_of
from ..video.source import CameraSource, SourceError, VideoSource, open_source

__all__ = [
    'VIDEO_SUFFIXES',
    'CameraSource',
    'CodesVideoReader',
    'CodesVideoWriter',
    'SourceError',
    'VideoSource',
    'level_shades',
    'open_source',
    'public_name',
]

_FORM_TAG = 'BDQ_FORM'


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
            f'cannot write {self.path} ({reason_of(error)}){kept}. Free space or choose another '
            'disk',
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
        self._source = VideoSource(path)
        self.path, self.frame_rate = Path(path), self._source.frame_rate
        text = self._source.tag(_FORM_TAG)
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
