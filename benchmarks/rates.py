"""Bits a second of the codes of IXMAS, the clips of the audit, by the encoders of README's table.

Those that a game has trained for a fold are left out: their files do not come with the project.

The clips are those of ``data/ixmas/raw``; noise and geometries are drawn anew for each clip, from
fixed seeds, so that a second run gives the same figures.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bdq_plugin import markdown
from bdq_plugin.camera_form import CameraForm
from bdq_plugin.deploy import PackedWriter, StreamingEncoder
from bdq_plugin.encoder_file import zoo_names
from bdq_plugin.encoders import PRESETS
from bdq_plugin.evaluation.candidates import resolve_encoder
from bdq_plugin.evaluation.overview import ENCODERS
from bdq_plugin.video.source import VideoSource

REPOSITORY = Path(__file__).resolve().parents[1]
COMPRESSION = 'context'


def study(quick: bool = False, folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """Kilobits a second of all clips together; ``quick`` takes three of them.

    Args:
        folder: of the videos; ``data/ixmas/raw`` by default.

    Raises:
        FileNotFoundError: there are no videos.
    """
    folder = REPOSITORY / 'data' / 'ixmas' / 'raw' if folder is None else Path(folder)
    videos = sorted(folder.glob('*.avi'))[: 3 if quick else None]
    if not videos:
        raise FileNotFoundError(f'no videos in {folder}: see tools/data/ixmas/download.sh')
    clips = [read(video) for video in videos]
    rows = []
    for name in ENCODERS:
        shipped = name.removesuffix('_untrained')
        if shipped not in (*PRESETS, *zoo_names()):
            continue
        found = resolve_encoder(shipped)
        # The name of one that a game has trained gives its untrained preset: its file is not here.
        if found.name == name and getattr(found.encoder, 'streamable', False):
            form, every = found.encoder.integer_form(), found.every or 1
            slow = [(frames[::every], rate / every) for frames, rate in clips]
            rows.append(dict(encoder=name, kbit_s=kbit_s(form, slow)))
    frames = sum(len(clip) for clip, _ in clips)
    size = f'{clips[0][0].shape[2]} x {clips[0][0].shape[1]}'
    return dict(clips=len(clips), frames=frames, size=size, compression=COMPRESSION, rows=rows)


def read(path: Path) -> tuple[np.ndarray, Fraction]:
    """Grey frames, uint8 (T, H, W), and how many there are a second."""
    with VideoSource(path, grey=True) as source:
        return np.stack([frame.pixels for frame in source]), Fraction(source.frame_rate)


def kbit_s(form: CameraForm, clips: Sequence[tuple[np.ndarray, Fraction]]) -> float:
    """Kilobits a second, each clip a file of its own."""
    size, seconds = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, 'clip.bdq')
        for seed, (frames, rate) in enumerate(clips):
            stream = StreamingEncoder(form, seed=seed, secret=seed.to_bytes(32, 'big'))
            codes = [code for frame in frames if (code := stream(frame)) is not None]
            options = dict(frame_rate=rate, compression=COMPRESSION)
            with PackedWriter(out, form, codes[0].shape, **options) as writer:
                for i, frame in enumerate(codes):
                    writer.write(frame, round(1000 * i / rate))
            size += out.stat().st_size
            seconds += len(codes) / float(rate)
    return round(8 * size / seconds / 1000, 1)


def table(document: dict[str, Any]) -> str:
    """Bits a second in Markdown."""
    rows = [[row['encoder'], row['kbit_s']] for row in document['rows']]
    note = (
        f'{document["clips"]} clips of {document["size"]}, grey, {document["frames"]} frames, each '
        f'clip a `.bdq` file of its own, `--compression {document["compression"]}`.'
    )
    return f'{markdown.table(["encoder", "kbit/s"], rows)}\n\n{note}'
