"""From a source to files of codes: the whole path of a frame through a camera."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Event

import numpy as np

from ..camera_form import CameraForm
from ..progress import Progress
from ..video.container import public_name
from ..video.source import CameraSource, VideoSource
from .background import BackgroundWriter
from .codes_video import STANDARD_OUTPUT, CodesVideoWriter, holds_codes
from .packed import PackedWriter
from .streaming import StreamingEncoder

OUTPUT_SUFFIXES = ('.bdq', '.mkv', '.mp4', '.ts')


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
            text = f'{path}: {output.bytes:,} bytes, {rate(output.bytes)}'
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
    **packed: object,
) -> PackedWriter | CodesVideoWriter:
    """The writer that a file's name asks for: ``.bdq``, ``.mkv``, ``.mp4``, ``.ts`` or ``-``.

    Args:
        **packed: ``chunk_frames`` and ``compression`` of :class:`PackedWriter`.
    """
    if Path(path).suffix.lower() == '.bdq':
        return PackedWriter(path, form, shape, frame_rate=frame_rate, **packed)
    return CodesVideoWriter(path, form, shape, frame_rate=frame_rate)


def check_outputs(source: str, outputs: Iterable[str | os.PathLike], overwrite: bool) -> None:
    """Refuse outputs without a known suffix, given twice, there already, or the source itself.

    Raises:
        ValueError, FileExistsError, FileNotFoundError: with the output's name and the mend.
    """
    seen = set()
    for path in map(Path, outputs):
        if os.fspath(path) == STANDARD_OUTPUT:
            if STANDARD_OUTPUT in seen:
                raise ValueError('standard output (-) is given twice: name it once')
            seen.add(STANDARD_OUTPUT)
            continue
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
    """
    if short_side is not None:
        import cv2

        height, width = pixels.shape[:2]
        scale = short_side / min(height, width)
        size = int(width * scale + 0.5), int(height * scale + 0.5)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    if crop is not None:
        height, width = pixels.shape[:2]
        if crop > min(height, width):
            raise ValueError(f'a crop of {crop} pixels does not fit a frame of {width} x {height}')
        top, left = (height - crop) // 2, (width - crop) // 2
        pixels = pixels[top : top + crop, left : left + crop]
    return pixels


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
    **packed: object,
) -> EncodingSummary:
    """Encode a source to one file or several, frame by frame.

    A frame of codes keeps the time of the source's frame that it was made of, counted in ms from
    the first frame of codes. No pixel of the source is written anywhere.

    Each output is written in a thread of its own. One that is too slow makes a file wait; of a live
    stream, which does not wait, it loses frames, and they are counted.

    Args:
        source: see :func:`~bdq_plugin.video.source.open_source`.
        encoder: encodes it; reset first.
        outputs: files by suffix, see :func:`open_writer`; made with the first frame of codes.
        max_frames: stop after so many frames of codes.
        every: encode each n-th frame alone, for networks that read frames so far apart.
        short_side, crop: see :func:`fit_frame`.
        progress: is shown the frames done.
        summary: filled in as frames are written, so that it is right after an error too.
        stop: set by someone else, ends the encoding as the source's end does.
        **packed: ``chunk_frames`` and ``compression`` of ``.bdq``.

    Raises:
        ValueError: the source ends before a first frame of codes.
        SourceError: the source broke off. The outputs hold all that was encoded, and are closed.
        OSError: an output cannot be written. All outputs hold what was encoded before.
    """
    numbers = dict(max_frames=max_frames, every=every, short_side=short_side, crop=crop)
    numbers['chunk_frames'] = packed.get('chunk_frames')
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f'{name} is 1 or more, got {number}')
    encoder.reset()
    live = getattr(source, 'live', False)
    rate = Fraction(source.frame_rate) / every
    summary = summary if summary is not None else EncodingSummary()
    writers: dict[str, BackgroundWriter] = {}
    count = origin = 0
    try:
        # The stack closes every writer, whatever happens, and so finishes its file.
        with ExitStack() as stack:
            for count, (time_ms, pixels) in enumerate(source, start=1):
                if stop is not None and stop.is_set():
                    break
                if progress is not None:
                    progress.update(count, _note(writers, summary.seconds))
                if (count - 1) % every:
                    continue
                codes = encoder(fit_frame(pixels, short_side, crop))
                if codes is None:
                    continue
                if not writers:
                    origin = time_ms
                    for path in outputs:
                        writer = open_writer(path, encoder.form, codes.shape, rate, **packed)
                        writers[str(path)] = stack.enter_context(
                            BackgroundWriter(writer, codes.nbytes, live=live)
                        )
                for writer in writers.values():
                    writer.write(codes, time_ms - origin)
                summary.seconds = (time_ms - origin) / 1000 + 1 / float(rate)
                summary.source_bytes = source.bytes_read
                summary.raw_bytes += every * pixels.size
                summary.frames += 1
                if summary.frames == max_frames:
                    break
            else:
                if not summary.frames:
                    raise ValueError(
                        f'{public_name(source.name)}: nothing to encode: a difference needs two '
                        f'frames, and of {count} every {every} is read'
                    )
    finally:
        summary.outputs = {
            path: Output(writer.frames, writer.dropped, writer.bytes_written)
            for path, writer in writers.items()
        }
        if progress is not None:
            progress.finish()
    return summary


def _note(writers: dict[str, BackgroundWriter], seconds: float) -> str:
    first = next(iter(writers.values()), None)
    sent = first.bytes_written if first else 0
    note = f'{8e-6 * sent / max(seconds, 1e-3):.2f} Mbit/s leave'
    dropped = sum(writer.dropped for writer in writers.values())
    return f'{note}, {dropped} frames dropped' if dropped else note
