"""Encode a video, a folder of videos, a camera or a network stream.

    python tools/encode_video.py encoder.json clip.mp4 clip.bdq clip.mkv
    python tools/encode_video.py encoder.json videos/ encoded/ --to bdq
    python tools/encode_video.py encoder.json 0 camera.bdq            # until Ctrl-C
    python tools/encode_video.py encoder.json rtsp://host/path out.bdq --max-frames 1000

Outputs: ``.bdq`` packed codes, ``.mkv`` lossless codes in any player, ``.mp4`` for viewing alone.
Nothing but codes and their relative times is written: see docs/deploy.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from bdq_plugin.deploy.encoding import (
    OUTPUT_SUFFIXES,
    EncodingSummary,
    check_outputs,
    encode_stream,
)
from bdq_plugin.deploy.packed import COMPRESSIONS
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.deploy.video_io import VIDEO_SUFFIXES, open_source, public_name
from bdq_plugin.progress import Progress


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='file of a trained encoder, or its name in the zoo')
    parser.add_argument('source', help='video, folder of videos, camera index, or address')
    parser.add_argument('output', nargs='+', help='files to make; a folder where SOURCE is one')
    parser.add_argument(
        '--to',
        choices=[suffix[1:] for suffix in OUTPUT_SUFFIXES],
        default='bdq',
        help='what to make of each video of a folder (default: bdq)',
    )
    parser.add_argument('--grey', action='store_true', help='encode luma alone')
    parser.add_argument('--max-frames', type=int, help='stop after so many frames of codes')
    parser.add_argument('--every', type=int, default=1, help='encode each n-th frame alone')
    parser.add_argument('--short-side', type=int, help='scale before encoding, pixels')
    parser.add_argument('--crop', type=int, help='centred square before encoding, pixels')
    parser.add_argument('--overwrite', action='store_true', help='replace existing outputs')
    parser.add_argument('--timeout', type=float, default=10.0, help='silence of an address, s')
    parser.add_argument('--chunk-frames', type=int, default=30, help='frames a chunk of .bdq')
    parser.add_argument('--compression', choices=COMPRESSIONS, help='of .bdq (default: zstd)')
    return parser.parse_args(arguments)


def encode_one(
    args: argparse.Namespace, encoder: StreamingEncoder, source: str, outputs: list[str]
) -> None:
    check_outputs(source, outputs, args.overwrite)
    summary = EncodingSummary()
    try:
        with open_source(source, grey=args.grey or None, timeout=args.timeout) as frames:
            encode_stream(
                frames,
                encoder,
                outputs,
                max_frames=args.max_frames,
                every=args.every,
                short_side=args.short_side,
                crop=args.crop,
                progress=Progress(public_name(frames.name), frames.num_frames, 'frames'),
                summary=summary,
                chunk_frames=args.chunk_frames,
                compression=args.compression,
            )
    finally:
        if summary.output_bytes is not None:
            print('\n'.join(summary.lines()))


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    # A camera's service is stopped by SIGTERM: finish the files as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        encoder = StreamingEncoder(args.encoder)
        folder = Path(args.source)
        if folder.is_dir():
            return encode_folder(args, encoder, folder)
        encode_one(args, encoder, args.source, args.output)
    except KeyboardInterrupt:
        print('stopped; the files hold what was encoded before', file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


def encode_folder(args: argparse.Namespace, encoder: StreamingEncoder, folder: Path) -> int:
    """Each video on its own: one that cannot be read does not stop the others."""
    videos = sorted(p for p in folder.rglob('*') if p.suffix.lower() in VIDEO_SUFFIXES)
    out = Path(args.output[0])
    if not videos or len(args.output) > 1 or out.suffix:
        problem = 'holds no video' if not videos else 'is a folder: name one folder as output'
        print(f'error: {folder} {problem}', file=sys.stderr)
        return 1
    failed = 0
    for video in videos:
        # The suffix stays in the name, so that a.avi and a.mp4 do not meet.
        target = out / video.relative_to(folder).parent / f'{video.name}.{args.to}'
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            encode_one(args, encoder, str(video), [str(target)])
        except (OSError, ValueError) as error:
            print(f'error: {error}', file=sys.stderr)
            failed += 1
    print(f'{len(videos) - failed} of {len(videos)} videos encoded')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
