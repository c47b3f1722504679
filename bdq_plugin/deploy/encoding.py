"""From a source to files of codes: the whole path of a frame through a camera."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..camera_form import CameraForm
from ..progress import Progress
from .packed import PackedWriter
from .streaming import StreamingEncoder
from .video_io import CameraSource, CodesVideoWriter, VideoSource

OUTPUT_SUFFIXES = ('.bdq', '.mkv', '.mp4')


@dataclass
class EncodingSummary:
    """What left, against what came.

    Attributes:
        frames: code frames written.
        seconds: from the first code frame's beginning to the last one's end.
        source_bytes: size of the source's video packets, 0 for a camera.
        raw_bytes: size of the source's frames at 8 bits a value.
        output_bytes: size of each output file.
    """

    frames: int = 0
    seconds: float = 0.0
    source_bytes: int = 0
    raw_bytes: int = 0
    output_bytes: dict[str, int] | None = None

    def lines(self) -> list[str]:
        """The summary in words, a line an output."""
        if not self.frames:
            return ['no frame of codes was written']

        def rate(size: int) -> str:
            return f'{8 * size / max(self.seconds, 1e-3) / 1e6:.3f} Mbit/s'

        lines = [f'{self.frames} frames, {self.seconds:.2f} s of video']
        for path, size in (self.output_bytes or {}).items():
            text = f'{path}: {size:,} bytes, {rate(size)}'
            if self.source_bytes:
                share = size / self.source_bytes
                text += f', {share:.2f} of the source ({rate(self.source_bytes)})'
            lines.append(f'{text}, {size / self.raw_bytes:.4f} of raw frames')
        return lines


def open_writer(
    path: str | os.PathLike,
    form: CameraForm,
    shape: tuple[int, ...],
    frame_rate: Fraction,
    **packed: object,
) -> PackedWriter | CodesVideoWriter:
    """The writer that a file's name asks for: ``.bdq``, ``.mkv`` or ``.mp4``.

    Args:
        **packed: ``chunk_frames`` and ``compression`` of :class:`PackedWriter`.
    """
    if Path(path).suffix.lower() == '.bdq':
        return PackedWriter(path, form, shape, frame_rate=frame_rate, **packed)
    return CodesVideoWriter(path, form, shape, frame_rate=frame_rate)


def check_outputs(source: str, outputs: Iterable[str | os.PathLike], overwrite: bool) -> None:
    """Refuse outputs that have no known suffix, exist already, or are the source itself.

    Raises:
        ValueError, FileExistsError, FileNotFoundError: with the output's name and the mend.
    """
    for path in map(Path, outputs):
        if path.suffix.lower() not in OUTPUT_SUFFIXES:
            raise ValueError(f'{path}: an output ends in one of {", ".join(OUTPUT_SUFFIXES)}')
        if not path.parent.is_dir():
            raise FileNotFoundError(f'no folder {path.parent} to write {path.name} to: make it')
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ValueError(f'{path} is the source: choose another name for the output')
        if path.exists() and not overwrite:
            raise FileExistsError(f'{path} exists: choose another name, or --overwrite')


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
    **packed: object,
) -> EncodingSummary:
    """Encode a source to one file or several, frame by frame.

    A frame of codes keeps the time of the source's frame that it was made of, counted in ms from
    the first frame of codes. No pixel of the source is written anywhere.

    Args:
        source: see :func:`~bdq_plugin.deploy.video_io.open_source`.
        encoder: encodes it; reset first.
        outputs: files by suffix, see :func:`open_writer`; made with the first frame of codes.
        max_frames: stop after so many frames of codes.
        every: encode each n-th frame alone, for networks that read frames so far apart.
        short_side, crop: see :func:`fit_frame`.
        progress: is shown the frames done.
        summary: filled in as frames are written, so that it is right after an error too.
        **packed: ``chunk_frames`` and ``compression`` of ``.bdq``.

    Raises:
        SourceError: the source broke off. The outputs hold all that was encoded, and are closed.
        OSError: an output cannot be written. All outputs hold what was encoded before.
    """
    if every < 1:
        raise ValueError(f'every is 1 or more frames, got {every}')
    encoder.reset()
    rate = Fraction(source.frame_rate) / every
    summary = summary if summary is not None else EncodingSummary()
    writers: list[PackedWriter | CodesVideoWriter] = []
    origin = 0
    try:
        # The stack closes every writer, whatever happens, and so finishes its file.
        with ExitStack() as stack:
            for index, (time_ms, pixels) in enumerate(source):
                if progress is not None:
                    sent = writers[0].bytes_written if writers else 0
                    leaving = 8e-6 * sent / max(summary.seconds, 1e-3)
                    progress.update(index, f'{leaving:.2f} Mbit/s leave')
                if index % every:
                    continue
                codes = encoder(fit_frame(pixels, short_side, crop))
                if codes is None:
                    continue
                if not writers:
                    origin = time_ms
                    for path in outputs:
                        writer = open_writer(path, encoder.form, codes.shape, rate, **packed)
                        writers.append(stack.enter_context(writer))
                for writer in writers:
                    writer.write(codes, time_ms - origin)
                summary.seconds = (time_ms - origin) / 1000 + 1 / float(rate)
                summary.source_bytes = source.bytes_read
                summary.raw_bytes += every * pixels.size
                summary.frames += 1
                if summary.frames == max_frames:
                    break
    finally:
        summary.output_bytes = {
            str(path): Path(path).stat().st_size for path in outputs if Path(path).exists()
        }
        if progress is not None:
            progress.finish()
    return summary
