"""From a source to files of codes: the whole path of a frame through a camera."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Event

import numpy as np

from ..camera_form import CameraForm, whole_blocks
from ..progress import Progress
from ..video.clock import end_of_frame
from ..video.container import MAX_PIXELS, public_name
from ..video.source import CameraSource, VideoSource
from .background import BackgroundWriter
from .codes_video import CodesVideoWriter, holds_codes
from .pacing import Pacer
from .packed import PackedWriter
from .scaling import resize
from .sinks import ADDRESSES, is_address, is_stream, scheme_of, waits
from .streaming import StreamingEncoder
from .watchdog import Watchdog

OUTPUT_SUFFIXES = ('.bdq', '.mkv', '.mp4', '.ts', '.mjpeg')


@dataclass
class Output:
    """What one file holds in the end.

    Attributes:
        frames: frames of codes in it.
        dropped: frames that its writer was too slow for.
        bytes: its size.
    """

    frames: int
    dropped: int
    bytes: int


@dataclass
class EncodingSummary:
    """What left, against what came.

    Attributes:
        frames: frames of codes made, each of them written to every output or dropped there.
        seconds: from the first code frame's beginning to the last one's end.
        source_bytes: size of the source's video packets, 0 for a camera.
        raw_bytes: size of the source's frames at 8 bits a value.
        outputs: by path.
    """

    frames: int = 0
    seconds: float = 0.0
    source_bytes: int = 0
    raw_bytes: int = 0
    outputs: dict[str, Output] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The summary in words, a line an output."""
        if not self.frames:
            return ['no frame of codes was written']

        def rate(size: int) -> str:
            return f'{8 * size / max(self.seconds, 1e-3) / 1e6:.3f} Mbit/s'

        lines = [f'{self.frames} frames, {self.seconds:.2f} s of video']
        for path, output in self.outputs.items():
            hourly = 3600 * output.bytes / max(self.seconds, 1e-3) / 1e6
            text = (
                f'{public_name(path)}: {output.bytes:,} bytes, {rate(output.bytes)}, '
                f'{hourly:.1f} MB an hour'
            )
            if self.source_bytes:
                share = output.bytes / self.source_bytes
                text += f', {share:.2f} of the source ({rate(self.source_bytes)})'
            text += f', {output.bytes / self.raw_bytes:.4f} of raw frames'
            if output.dropped:
                text += f'; {output.dropped} frames dropped: this output is too slow for the stream'
            if output.frames != self.frames:
                text += f'; it holds {output.frames} of the {self.frames} frames'
            lines.append(text)
        return lines


def open_writer(
    path: str | os.PathLike,
    form: CameraForm,
    shape: tuple[int, ...],
    frame_rate: Fraction,
    *,
    codec: str = 'h264',
    **packed: object,
) -> PackedWriter | CodesVideoWriter:
    """The writer that an output's name asks for: by its suffix, ``-``, or an address.

    Args:
        codec: of ``-`` and addresses: ``'bdq'`` for packed codes, or see :class:`CodesVideoWriter`.
        **packed: ``chunk_frames`` and ``compression`` of :class:`PackedWriter`.
    """
    if codec == 'bdq' if is_stream(path) else Path(path).suffix.lower() == '.bdq':
        return PackedWriter(path, form, shape, frame_rate=frame_rate, **packed)
    codec = 'h264' if codec == 'bdq' else codec  # of a file, which has its own
    return CodesVideoWriter(path, form, shape, frame_rate=frame_rate, codec=codec)


def check_outputs(
    source: str, outputs: Iterable[str | os.PathLike], overwrite: bool, codec: str = 'h264'
) -> None:
    """Refuse outputs without a known suffix, given twice, there already, or the source itself.

    Raises:
        ValueError, FileExistsError, FileNotFoundError: with the output's name and the mend.
    """
    seen = set()
    for name in map(os.fspath, outputs):
        if is_stream(name):
            if name in seen:
                shown = public_name(name) if is_address(name) else 'standard output (-)'
                raise ValueError(f'{shown} is given twice: name it once')
            if codec == 'bdq' and scheme_of(name) in ('rtsp', 'udp'):
                raise ValueError(
                    f'{public_name(name)}: packed codes go to standard output, tcp:// or http://, '
                    'where every byte arrives'
                )
            seen.add(name)
            continue
        if '://' in name:
            known = ', '.join(f'{scheme}://' for scheme in ADDRESSES)
            raise ValueError(f'{public_name(name)}: codes are sent to {known}')
        path = Path(name)
        if path.suffix.lower() not in OUTPUT_SUFFIXES:
            raise ValueError(f'{path}: an output ends in one of {", ".join(OUTPUT_SUFFIXES)}')
        if not path.parent.is_dir():
            raise FileNotFoundError(f'no folder {path.parent} to write {path.name} to: make it')
        if path.is_dir():
            raise IsADirectoryError(f'{path} is a folder: choose another name for the output')
        if os.path.realpath(path) in seen:
            raise ValueError(f'{path} is given twice: name each output once')
        seen.add(os.path.realpath(path))
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ValueError(f'{path} is the source: choose another name for the output')
        if path.exists() and not overwrite:
            raise FileExistsError(
                f'{path} exists: choose another name, --overwrite or --skip-existing'
            )


def refuse_codes(source: str) -> None:
    """Refuse a file that holds codes already.

    Raises:
        ValueError: with its name.
    """
    if holds_codes(source):
        raise ValueError(
            f'{source} holds codes already: name the video that they were made of, or read them '
            'with tools/recognize.py'
        )


def fit_frame(pixels: np.ndarray, short_side: int | None, crop: int | None) -> np.ndarray:
    """Scale and crop a frame as test pipelines do, before it is encoded.

    A network sees the codes of frames of its own size. Codes that are scaled afterwards are not
    those, so a camera whose codes go to a network scales first.

    Args:
        pixels: uint8, (H, W) or (H, W, C).
        short_side: pixels of the shorter side after scaling (bilinear), None to leave the size.
        crop: side of a centred square, None to leave the frame; pixels.

    Raises:
        ValueError: the scaled frame is too large, or smaller than the crop.
    """
    if short_side is not None:
        height, width = pixels.shape[:2]
        scale = short_side / min(height, width)
        scaled = int(width * scale + 0.5), int(height * scale + 0.5)
        if math.prod(scaled) > MAX_PIXELS:
            raise ValueError(
                f'frames of {width} x {height} would be scaled to {scaled[0]} x {scaled[1]}; up to '
                f'{MAX_PIXELS:,} pixels are taken: choose a smaller --short-side'
            )
        pixels = resize(pixels, *scaled)
    if crop is not None:
        height, width = pixels.shape[:2]
        if crop > min(height, width):
            raise ValueError(f'a crop of {crop} pixels does not fit a frame of {width} x {height}')
        top, left = (height - crop) // 2, (width - crop) // 2
        pixels = pixels[top : top + crop, left : left + crop]
    return pixels


class _Outputs:
    """Every output of a stream. A source whose size changes begins the next file of each."""

    def __init__(
        self, names: Sequence[str | os.PathLike], form: CameraForm, live: bool, options: dict
    ) -> None:
        self._names, self._form, self._live, self._options = names, form, live, options
        self._open = ExitStack()
        self._shape: tuple[int, ...] | None = None
        self._current: list[tuple[BackgroundWriter, int]] = []
        self._streams_begin: int | None = None
        self.writers: dict[str, list[BackgroundWriter]] = {}

    def write(self, codes: np.ndarray, time_ms: int, rate: Fraction) -> list[str]:
        """Write a frame to every output.

        Returns:
            Names of the outputs that were opened for it.
        """
        opened = []
        if codes.shape != self._shape:
            self._open.close()
            self._current, first = [], self._shape is None
            self._shape = codes.shape
            if first:
                self._streams_begin = time_ms
            for name in map(os.fspath, self._names):
                streamed = is_stream(name)
                if not (first or streamed):
                    name = _next_name(name)
                writer = open_writer(name, self._form, codes.shape, rate, **self._options)
                writer = BackgroundWriter(writer, codes.nbytes, live=self._live)
                self._open.enter_context(writer)
                # A file's times begin at 0; those of a stream go on.
                begin = self._streams_begin if streamed else time_ms
                self._current.append((writer, begin))
                self.writers.setdefault(name, []).append(writer)
                opened.append(name)
        for writer, begin in self._current:
            writer.write(codes, time_ms - begin)
        return opened

    def close(self) -> None:
        """Close every writer, whatever happens, and so finish its file."""
        self._open.close()

    @property
    def bytes_written(self) -> int:
        """Size of the first output's."""
        first = next(iter(self.writers.values()), [])
        return sum(writer.bytes_written for writer in first)

    @property
    def dropped(self) -> int:
        return sum(writer.dropped for writers in self.writers.values() for writer in writers)

    def summary(self) -> dict[str, Output]:
        return {
            name: Output(
                sum(writer.frames for writer in writers),
                sum(writer.dropped for writer in writers),
                sum(writer.bytes_written for writer in writers),
            )
            for name, writers in self.writers.items()
        }


def _next_name(name: str) -> str:
    """The first free one of ``x.2.bdq``, ``x.3.bdq``, ... behind ``x.bdq``."""
    path = Path(name)
    names = (path.with_suffix(f'.{number}{path.suffix}') for number in itertools.count(2))
    return str(next(path for path in names if not path.exists()))


def encode_stream(
    source: VideoSource | CameraSource,
    encoder: StreamingEncoder,
    outputs: Sequence[str | os.PathLike],
    *,
    max_frames: int | None = None,
    every: int = 1,
    short_side: int | None = None,
    crop: int | None = None,
    progress: Progress | None = None,
    summary: EncodingSummary | None = None,
    stop: Event | None = None,
    say: Callable[[str], None] | None = None,
    **packed: object,
) -> EncodingSummary:
    """Encode a source to one file or several, frame by frame.

    A frame of codes keeps the time of the source's frame that it was made of, counted in ms from
    the first frame of codes. No pixel of the source is written anywhere.

    A file that goes to an address by RTSP or UDP goes there at its own speed, as a camera's frames
    would: whoever takes them loses what comes faster.

    Each output is written in a thread of its own. One that is too slow makes a file wait; of a live
    stream, which does not wait, it loses frames, and they are counted.

    A source that comes back with another size (see
    :class:`~bdq_plugin.video.reconnecting.ReconnectingSource`) begins a new stream: the next file
    of each output (``x.2.bdq``), and on standard output and at an address the container anew.

    Args:
        source: see :func:`~bdq_plugin.video.source.open_source`.
        encoder: encodes it; reset first, and at each new connection to the source.
        outputs: files by suffix, see :func:`open_writer`; made with the first frame of codes.
        max_frames: stop after so many frames of codes.
        every: encode each n-th frame alone, for networks that read frames so far apart.
        short_side, crop: see :func:`fit_frame`. For an encoder with blocks, borders that are no
            whole block are cut off then.
        progress: is shown the frames done.
        summary: filled in as frames are written, so that it is right after an error too.
        stop: set by someone else, ends the encoding as the source's end does.
        say: is told of a new size and of borders that are cut off, in words.
        **packed: ``chunk_frames`` and ``compression`` of ``.bdq``, ``codec`` of streams.

    Raises:
        ValueError: the source ends before a first frame of codes.
        SourceError: the source broke off. The outputs hold all that was encoded, and are closed.
        OSError: an output cannot be written. All outputs hold what was encoded before.
        LeakError: the encoder gave something else than codes; it went nowhere.
    """
    numbers = dict(max_frames=max_frames, every=every, short_side=short_side, crop=crop)
    numbers['chunk_frames'] = packed.get('chunk_frames')
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f'{name} is 1 or more, got {number}')
    live = getattr(source, 'live', False)
    summary = summary if summary is not None else EncodingSummary()
    written = _Outputs(outputs, encoder.form, live, packed)
    watchdog = Watchdog(encoder.form)
    pace = None if live or all(map(waits, outputs)) else Pacer(stop)
    connection, count, begin, before = None, 0, None, None
    try:
        with closing(written):
            for count, (time_ms, pixels) in enumerate(source, start=1):
                if stop is not None and stop.is_set():
                    break
                if progress is not None:
                    progress.update(count, _note(written, summary.seconds))
                if (count - 1) % every:
                    continue
                raw, fitted = pixels.size, fit_frame(pixels, short_side, crop)
                pixels = fitted[whole_blocks(*fitted.shape[:2], encoder.form.block)]
                if connection != (connection := getattr(source, 'connections', 0)):
                    encoder.reset()  # no difference is taken over a gap
                    watchdog.reset()
                    if pixels.shape != fitted.shape and say is not None:
                        say(f'the borders are cut off to whole blocks: {_cut(fitted, pixels)}')
                codes = encoder(pixels)
                watchdog(pixels, codes)
                if codes is None:
                    continue
                if pace is not None:
                    pace(time_ms)
                rate = Fraction(source.frame_rate) / every
                opened = written.write(codes, time_ms, rate)
                if opened and begin is not None and say is not None:
                    say(f'the source has another size: {", ".join(map(public_name, opened))}')
                begin = time_ms if begin is None else begin
                step = None if before is None else time_ms - before
                summary.seconds = end_of_frame(time_ms - begin, step, rate)
                before = time_ms
                summary.source_bytes = source.bytes_read
                summary.raw_bytes += every * raw
                summary.frames += 1
                if summary.frames == max_frames:
                    break
            else:
                if not summary.frames and not (stop is not None and stop.is_set()):
                    raise ValueError(
                        f'{public_name(source.name)}: nothing to encode: a difference needs two '
                        f'frames, and of {count} every {every} is read'
                    )
    finally:
        summary.outputs = written.summary()
        if progress is not None:
            progress.finish()
    return summary


def _cut(before: np.ndarray, after: np.ndarray) -> str:
    (height, width), (rows, columns) = before.shape[:2], after.shape[:2]
    return f'{columns} x {rows} of {width} x {height} pixels are encoded'


def _note(written: _Outputs, seconds: float) -> str:
    note = f'{8e-6 * written.bytes_written / max(seconds, 1e-3):.2f} Mbit/s leave'
    return f'{note}, {written.dropped} frames dropped' if written.dropped else note
