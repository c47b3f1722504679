"""Bits a second that leave the camera, on real videos, for each way to write the codes.

Videos are those of the research data (``$BDQ_TEST_DATA``, by default ../shared/data). Codes are
grey (luma alone), for KTH and IXMAS are grey. Predictions are tried in front of the same
compression, to show what they would bring.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bdq_plugin import markdown
from bdq_plugin.deploy import PackedWriter
from bdq_plugin.deploy.codes_video import CodesVideoWriter
from bdq_plugin.deploy.context_coder import encode_codes
from bdq_plugin.deploy.packed import _compress, bits_per_code, has_zstd, pack_bits
from bdq_plugin.deploy.streaming import encode_clip
from bdq_plugin.encoders import build_encoder
from bdq_plugin.video.source import VideoSource

REPOSITORY = Path(__file__).resolve().parents[1]
PRESETS = ('bdq_hard', 'sign_16', 'sign_2')
CHUNK = 30


def predictions(codes: np.ndarray, levels: int) -> dict[str, np.ndarray]:
    """Codes (T, H, W) as they are, and less what stands before or above them."""
    before, above = np.zeros_like(codes), np.zeros_like(codes)
    before[1:], above[:, 1:] = codes[:-1], codes[:, :-1]
    return {
        'none': codes,
        'frame before': ((codes.astype(int) - before) % levels).astype(np.uint8),
        'row above': ((codes.astype(int) - above) % levels).astype(np.uint8),
    }


def measure(path: Path, preset: str, folder: Path) -> dict[str, object]:
    with VideoSource(path, grey=True) as source:
        frames = np.stack([frame.pixels for frame in source])
        size, rate = source.bytes_read, Fraction(source.frame_rate)
    form = build_encoder(preset).integer_form()
    codes = encode_clip(form, frames)
    seconds = len(codes) / float(rate)
    rates, speeds = {}, {}
    compressions = ('zstd', 'lzma', 'zlib') if has_zstd() else ('lzma', 'zlib')
    packed = ('context', *compressions)
    for name in (*packed, 'mkv', 'mp4'):
        out = folder / ('x.bdq' if name in packed else f'x.{name}')
        kind, options = (
            (PackedWriter, dict(compression=name, chunk_frames=CHUNK))
            if name in packed
            else (CodesVideoWriter, {})
        )
        start = time.process_time()
        with kind(out, form, codes.shape[1:], frame_rate=rate, **options) as writer:
            for i, frame in enumerate(codes):
                writer.write(frame, round(1000 * i / rate))
        taken = time.process_time() - start
        label = f'bdq {name}' if name in packed else name
        rates[label] = round(8 * out.stat().st_size / seconds / 1000, 1)
        speeds[label] = round(codes.size / taken / 1e6, 1)
    bits = bits_per_code(form.num_levels)
    predicted = {
        f'{compression}, {name}': round(
            8
            * sum(
                len(_compress(pack_bits(array[i : i + CHUNK], bits), compression))
                for i in range(0, len(array), CHUNK)
            )
            / codes.size,
            3,
        )
        for compression in compressions
        for name, array in predictions(codes, form.num_levels).items()
    }
    return {
        'video': path.name,
        'encoder': preset,
        'frames': len(codes),
        'size': f'{codes.shape[2]} x {codes.shape[1]}',
        'source_kbit_s': round(8 * size / (len(frames) / float(rate)) / 1000, 1),
        'raw_kbit_s': round(8 * codes[0].size * float(rate) / 1000, 1),
        'codes_kbit_s': rates,
        'written_megapixels_s': speeds,
        'bits_a_code_with_prediction': predicted,
    }


def study(quick: bool = False) -> dict[str, Any]:
    """Bits and speed of every way to write; ``quick`` writes one video with one encoder.

    Raises:
        FileNotFoundError: the research data is not there.
    """
    root = Path(os.environ.get('BDQ_TEST_DATA', REPOSITORY.parent / 'shared' / 'data'))
    videos = sorted((root / 'kth' / 'videos').glob('*.*'))
    videos += sorted((root / 'ixmas' / 'original_samples').glob('*.avi'))
    if not videos:
        raise FileNotFoundError(f'no videos in {root}: name their folder in $BDQ_TEST_DATA')
    encode_codes(np.zeros((1, 4, 4), np.uint8), 2)  # compiles it, which is no part of its speed
    presets = PRESETS[:1] if quick else PRESETS
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(video, preset, Path(folder))
            for video in videos[: 1 if quick else None]
            for preset in presets
        ]
    return {'pyav': av.__version__, 'chunk_frames': CHUNK, 'rows': rows}


def table(document: dict[str, Any]) -> str:
    """Bits a second in Markdown, and the speed of writing."""
    kinds = list(document['rows'][0]['codes_kbit_s'])
    rows = [
        [row['video'], row['encoder'], row['source_kbit_s'], *row['codes_kbit_s'].values()]
        for row in document['rows']
    ]
    # Of speed, that of the videos of 120 x 160: it is the steadiest there.
    large = [row for row in document['rows'] if row['size'] == '160 x 120']
    names = ('bdq context', 'bdq zstd', 'mkv')
    speed = ', '.join(
        f'`{name}` {statistics.median(row["written_megapixels_s"][name] for row in large):.0f}'
        for name in names
    )
    shares = [
        row['codes_kbit_s']['bdq context'] / row['codes_kbit_s']['mkv'] for row in document['rows']
    ]
    note = (
        f'`bdq context` takes {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the bits of '
        f'the `mkv`. Million codes written a second on one core, median: {speed}.'
    )
    return f'{markdown.table(["video", "encoder", "source", *kinds], rows)}\n\n{note}'
