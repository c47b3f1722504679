"""From a video to a file of codes, and to an action: processor time a frame, and memory.

A camera's picture is imitated: a moving scene with sensor noise, encoded as H.264. Times are those
of the processor, so that what else the machine does changes little: the main thread decodes and
encodes, a second one compresses and writes. On one core they take turns, on two the slower one
decides.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from bdq_plugin import markdown
from bdq_plugin.deploy import StreamingEncoder
from bdq_plugin.deploy.encoding import encode_stream
from bdq_plugin.encoders import build_encoder
from bdq_plugin.video.source import VideoSource

from .harness import machine, peak_memory_mib

SIZES = {'640x480 colour': (480, 640), '1920x1080 colour': (1080, 1920)}
NOISE = 3.0
OUTPUTS = {
    'bdq zstd': ('x.bdq', dict(compression='zstd')),
    'bdq zlib': ('x.bdq', dict(compression='zlib')),
    'bdq lzma': ('x.bdq', dict(compression='lzma')),
    'bdq context': ('x.bdq', dict(compression='context')),
    'mkv': ('x.mkv', {}),
    'mp4': ('x.mp4', {}),
}
# A recipe that spreads its frames over a whole clip.
RECIPE = 'bdq_ixmas_cpu_action.py'


def scene(height: int, width: int, count: int) -> Iterator[np.ndarray]:
    """Frames of waves that move, a brighter box that wanders, and noise: uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    noises = [rng.normal(0, NOISE, (height, width, 3)).astype(np.float32) for _ in range(4)]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for t in range(count):
        waves = 127 + 60 * np.sin((x + 3 * t) / 37) * np.cos((y - t) / 29)
        left = 7 * t % width
        waves[height // 3 : 2 * height // 3, left : left + width // 8] += 50
        yield np.clip(waves[..., None] + noises[t % 4], 0, 255).astype(np.uint8)


def write_source(path: Path, height: int, width: int, count: int) -> None:
    with av.open(str(path), 'w') as container:
        options = {'preset': 'ultrafast', 'crf': '23'}
        stream = container.add_stream('libx264', rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, 'yuv420p'
        for pixels in scene(height, width, count):
            frame = av.VideoFrame.from_ndarray(pixels, format='rgb24').reformat(format='yuv420p')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def time_a_frame(source: Path, output: Path, packed: dict[str, Any]) -> dict[str, float]:
    encoder = StreamingEncoder(build_encoder('bdq_hard').integer_form())
    with VideoSource(source) as frames:
        main, both = time.thread_time(), time.process_time()
        summary = encode_stream(frames, encoder, [output], **packed)
        main, both = time.thread_time() - main, time.process_time() - both
    main, writer = 1000 * main / summary.frames, 1000 * (both - main) / summary.frames
    return {
        'decode_and_encode_ms': round(main, 1),
        'write_ms': round(writer, 1),
        'one_core_fps': round(1000 / (main + writer), 1),
        'two_cores_fps': round(1000 / max(main, writer), 1),
        'mbit_s': round(8e-6 * output.stat().st_size / summary.seconds, 2),
    }


def encoding_memory(folder: Path, source: Path, output: str, packed: dict[str, Any]) -> float:
    return peak_memory_mib(lambda: time_a_frame(source, folder / output, packed), repeats=1)


def recognition_memory(seconds: int, height: int, width: int) -> float:
    """MiB that an answer about a whole clip adds, model and imports included."""

    def answer() -> None:
        from mmengine.config import Config

        from bdq_plugin.deploy.recognition import ActionRecognizer, Repeatable
        from bdq_plugin.paths import find_config

        config = Config.fromfile(find_config(RECIPE))
        config.model.data_preprocessor.pop('init_cfg')
        config.model.data_preprocessor.encoder = 'bdq_hard'
        picture = next(scene(height, width, 1))
        count = 25 * seconds
        frames = Repeatable(lambda: ((40 * i, picture.copy()) for i in range(count)), count)
        assert len(list(ActionRecognizer(config).on_frames(frames))) == 1

    return peak_memory_mib(answer, repeats=1)


def study(quick: bool = False) -> dict[str, Any]:
    """Times and memory; ``quick`` writes a few small frames."""
    sizes = {'64x48 colour': (48, 64)} if quick else SIZES
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / 'source.mp4'
        write_source(source, 48, 64, 8)
        for output, packed in OUTPUTS.values():  # what is compiled and imported once
            time_a_frame(source, folder / output, packed)
        for size, (height, width) in sizes.items():
            write_source(source, height, width, 8 if quick else 76)
            for kind, (output, packed) in OUTPUTS.items():
                row = time_a_frame(source, folder / output, packed)
                row['peak_mib'] = encoding_memory(folder, source, output, packed)
                rows.append({'size': size, 'output': kind, **row})
    lengths = (1, 2) if quick else (20, 60, 180)
    height, width = next(iter(sizes.values()))
    return {
        **machine(),
        'noise': NOISE,
        'rows': rows,
        'recognition': {
            'recipe': RECIPE,
            'size': f'{width} x {height}',
            'peak_mib': {str(s): recognition_memory(s, height, width) for s in lengths},
        },
    }


def table(document: dict[str, Any]) -> str:
    """Times and memory in Markdown."""
    head = ['frames', 'output', 'decode and encode, ms', 'write, ms']
    head += ['frames/s, one core', 'two cores', 'Mbit/s', 'memory, MiB']
    rows = [list(row.values()) for row in document['rows']]
    recognition = document['recognition']
    peaks = ', '.join(f'{mib:.0f} for {s} s' for s, mib in recognition['peak_mib'].items())
    note = (
        f'{document["cpu"]}; H.264 of a moving scene with noise of {document["noise"]:.0f} of 255, '
        'encoder `bdq_hard`. Memory is what the work adds to a process that has imported all.\n\n'
        f'`recognize.py` with a recipe that reads whole clips ({recognition["recipe"]}), on clear '
        f'video of {recognition["size"]}: MiB that an answer adds, {peaks} of video.'
    )
    return f'{markdown.table(head, rows)}\n\n{note}'
