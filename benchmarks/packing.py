"""Bits a second that leave the camera, on real videos, for each way to write the codes.

    python -m benchmarks.packing [FOLDER]

FOLDER is that of the research data (``$BDQ_TEST_DATA``, by default ../shared/data). Codes are grey
(luma alone), for KTH and IXMAS are grey. Predictions are tried in front of the same compression, to
show what they would bring.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bdq_plugin.deploy import PackedWriter
from bdq_plugin.deploy.context_coder import encode_codes
from bdq_plugin.deploy.packed import _compress, bits_per_code, has_zstd, pack_bits
from bdq_plugin.deploy.streaming import encode_clip
from bdq_plugin.deploy.video_io import CodesVideoWriter, VideoSource
from bdq_plugin.encoders import build_encoder

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / 'results' / 'packing.json'
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


def main() -> None:
    default = os.environ.get('BDQ_TEST_DATA', REPOSITORY.parent / 'shared' / 'data')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', nargs='?', type=Path, default=Path(default))
    parser.add_argument('--out', type=Path, default=RESULTS)
    args = parser.parse_args()
    videos = sorted((args.folder / 'kth' / 'videos').glob('*.*'))
    videos += sorted((args.folder / 'ixmas' / 'original_samples').glob('*.avi'))
    if not videos:
        raise SystemExit(f'no videos in {args.folder}: name the folder of the research data')
    encode_codes(np.zeros((1, 4, 4), np.uint8), 2)  # compiles it, which is no part of its speed
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(video, preset, Path(folder)) for video in videos for preset in PRESETS]
    results = {
        'command': 'python -m benchmarks.packing',
        'pyav': av.__version__,
        'chunk_frames': CHUNK,
        'rows': rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=2) + '\n')
    for row in rows:
        rates = ', '.join(f'{name} {rate}' for name, rate in row['codes_kbit_s'].items())
        print(f'{row["video"]} {row["encoder"]}: source {row["source_kbit_s"]} kbit/s; {rates}')


if __name__ == '__main__':
    main()
