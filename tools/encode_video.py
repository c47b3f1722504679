"""Encode a video, a folder of videos, a camera or a network stream.

    python tools/encode_video.py encoder.json clip.mp4 clip.bdq clip.mkv
    python tools/encode_video.py encoder.json videos/ encoded/ --to bdq
    python tools/encode_video.py encoder.json 0 camera.bdq            # until Ctrl-C
    python tools/encode_video.py encoder.json rtsp://host/path out.bdq --max-frames 1000
    python tools/encode_video.py encoder.json rtsp://host/path -      # for a server of streams
    python tools/encode_video.py encoder.json rtsp://host/path rtsp://server/codes --reconnect

Outputs: ``.bdq`` packed codes, ``.mkv`` lossless codes in any player, ``.mp4``, ``.ts`` and
``.mjpeg`` for viewing alone. ``-`` is standard output, and messages then go to standard error; an
address (rtsp, http, https, tcp, udp) is one that takes a stream. Both are H.264 as ``.ts``, with
``--codec mjpeg`` as ``.mjpeg``, and with ``--codec bdq`` packed codes.
Nothing but codes and their relative times is written: see docs/deploy.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Event

from bdq_plugin.deploy.codes_video import STREAM_CODECS, holds_codes
from bdq_plugin.deploy.encoding import (
    OUTPUT_SUFFIXES,
    EncodingSummary,
    check_outputs,
    encode_stream,
    refuse_codes,
)
from bdq_plugin.deploy.packed import COMPRESSIONS
from bdq_plugin.deploy.sinks import STANDARD_OUTPUT
from bdq_plugin.deploy.stopping import stop_on_signal
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.deploy.watchdog import LeakError
from bdq_plugin.encoder_file import chosen_every, trained_frames
from bdq_plugin.progress import Progress
from bdq_plugin.video.container import public_name
from bdq_plugin.video.files import find_videos, printable, some_names
from bdq_plugin.video.reconnecting import ReconnectingSource
from bdq_plugin.video.source import CameraSource, VideoSource, open_source

# Of a user, a source, an output, or the machine: told in one line.
ERRORS = (OSError, ValueError, LeakError)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='encoder.json, zoo name or preset')
    parser.add_argument('source', help='video, folder of videos, camera index, or address')
    parser.add_argument(
        'output', nargs='+', help='files, addresses or -; a folder if SOURCE is one'
    )
    parser.add_argument(
        '--to',
        choices=[suffix[1:] for suffix in OUTPUT_SUFFIXES],
        default='bdq',
        help='what to make of each video of a folder (default: bdq)',
    )
    colour = parser.add_mutually_exclusive_group()
    colour.add_argument('--grey', action='store_true', help='encode luma alone')
    colour.add_argument('--colour', action='store_true', help='encode colour, where there is some')
    parser.add_argument('--max-frames', type=int, help='stop after so many frames of codes')
    parser.add_argument(
        '--every',
        type=int,
        help="encode each n-th frame alone; by default as the encoder's file says, or each",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        '--short-side',
        type=int,
        help='scale before encoding, pixels; by default as the encoder was trained, where its file '
        'says so',
    )
    size.add_argument('--full-size', action='store_true', help='do not scale')
    parser.add_argument('--crop', type=int, help='centred square before encoding, pixels')
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument('--overwrite', action='store_true', help='replace existing outputs')
    existing.add_argument(
        '--skip-existing', action='store_true', help='pass over sources whose outputs exist'
    )
    parser.add_argument('--timeout', type=float, default=10.0, help='silence of an address, s')
    parser.add_argument(
        '--reconnect', action='store_true', help='open an address or a camera anew when it is gone'
    )
    parser.add_argument(
        '--codec', choices=(*STREAM_CODECS, 'bdq'), default='h264', help='of - and of addresses'
    )
    parser.add_argument('--chunk-frames', type=int, default=30, help='frames a chunk of .bdq')
    parser.add_argument('--compression', choices=COMPRESSIONS, help='of .bdq (default: zstd)')
    return parser.parse_args(arguments)


def choose_frames(args: argparse.Namespace) -> None:
    """Size, colour and rate as in training, unless told otherwise; and say so."""
    chosen = chosen_every(args.encoder)
    if args.every is None:
        args.every = chosen or 1
    if chosen not in (None, args.every):
        say(
            f'the encoder is for one frame of {chosen}, and gets one of {args.every}: what its '
            'codes show of people there was not measured'
        )
    elif args.every > 1:
        say(f'one frame of {args.every} is encoded')
    trained = trained_frames(args.encoder)
    if trained is None:
        say(
            'the encoder does not say for which frames it is: what its codes show of people in '
            'these was not measured'
        )
        return
    if args.short_side is None and not args.full_size:
        args.short_side = trained.short_side
    args.grey = args.grey or (trained.grey and not args.colour)
    if args.short_side == trained.short_side and args.grey == trained.grey:
        colour = 'grey' if trained.grey else 'in colour'
        say(f'frames of {args.short_side} pixels on the shorter side, {colour}: as in training')
    else:
        say(
            'other frames than the encoder was trained on: what its codes show of people there was '
            'not measured'
        )


def opened(
    args: argparse.Namespace, source: str, stop: Event
) -> AbstractContextManager[VideoSource | CameraSource | ReconnectingSource]:
    options = dict(grey=args.grey or None, timeout=args.timeout)
    if args.reconnect:
        return nullcontext(ReconnectingSource(source, stop=stop, say=say, **options))
    return open_source(source, **options)


def say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def encode_one(
    args: argparse.Namespace,
    encoder: StreamingEncoder,
    source: str,
    outputs: list[str],
    stop: Event,
    overwrite: bool,
    summary: EncodingSummary,
) -> None:
    check_outputs(source, outputs, overwrite, args.codec)
    refuse_codes(source)
    with opened(args, source, stop) as frames:
        name = printable(public_name(frames.name))
        encode_stream(
            frames,
            encoder,
            outputs,
            max_frames=args.max_frames,
            every=args.every,
            short_side=args.short_side,
            crop=args.crop,
            progress=Progress(name, frames.num_frames, 'frames'),
            summary=summary,
            stop=stop,
            say=say,
            codec=args.codec,
            chunk_frames=args.chunk_frames,
            compression=args.compression,
        )


@contextmanager
def told(args: argparse.Namespace) -> Iterator[EncodingSummary]:
    """Summary of an encoding that is printed at its end, however it ends."""
    summary = EncodingSummary()
    try:
        yield summary
    finally:
        said = sys.stderr if STANDARD_OUTPUT in args.output else sys.stdout
        for line in summary.lines() if summary.outputs else []:
            print(printable(line), file=said, flush=True)


def main(arguments: list[str] | None = None) -> int:
    # A camera's service is stopped by SIGTERM: the files are finished as with Ctrl-C.
    with stop_on_signal() as stop:
        args = parse_args(arguments)
        try:
            encoder = StreamingEncoder(args.encoder)
            choose_frames(args)
            if Path(args.source).is_dir():
                return encode_folder(args, encoder, Path(args.source), stop)
            if args.skip_existing and all(map(os.path.exists, args.output)):
                print(f'{printable(args.source)}: all outputs exist, nothing done')
                return 0
            with told(args) as summary:
                encode_one(args, encoder, args.source, args.output, stop, args.overwrite, summary)
        except ERRORS as error:
            print(f'error: {printable(str(error))}', file=sys.stderr)
            return 1
        if stop.is_set():
            held = (
                'the files hold what was encoded before' if summary.frames else 'nothing is written'
            )
            print(f'stopped; {held}', file=sys.stderr)
        return 0


def encode_folder(
    args: argparse.Namespace, encoder: StreamingEncoder, folder: Path, stop: Event
) -> int:
    """Each video on its own: one that cannot be read does not stop the others."""
    out = Path(args.output[0])
    check_output_folder(folder, out, args.output)
    found = find_videos(folder, skip=[out])
    codes = {path for path in found.videos if holds_codes(path)}
    videos = [path for path in found.videos if path not in codes]
    for reason, paths in [
        ('not named as videos are', found.others),
        ('codes already', sorted(codes)),
        ('may not be read', found.closed),
    ]:
        if paths:
            print(f'left out, {reason}: {describe(paths, folder)}')
    if not videos:
        raise ValueError(f'{folder} holds no video')
    done, existing, failed = 0, 0, list(found.closed)
    for video in videos:
        if stop.is_set():
            break
        # The suffix stays in the name, so that a.avi and a.mp4 do not meet.
        target = out / video.relative_to(folder).parent / f'{video.name}.{args.to}'
        if args.skip_existing and target.exists():
            existing += 1
            continue
        try:
            encode_in_folder(args, encoder, video, target, stop)
            done += not stop.is_set()
        except ERRORS as error:
            print(f'error: {printable(str(error))}', file=sys.stderr)
            failed.append(video)
    there = f', {existing} there already' if existing else ''
    print(f'{done} of {len(videos)} videos encoded{there}')
    if failed:
        print(f'not encoded: {describe(failed, folder)}', file=sys.stderr)
    if stop.is_set():
        rest = len(videos) + len(found.closed) - done - existing - len(failed)
        print(f'stopped; {rest} videos are left. Go on with --skip-existing', file=sys.stderr)
    return 0 if done + existing == len(videos) and not failed else 1


def check_output_folder(folder: Path, out: Path, outputs: list[str]) -> None:
    if STANDARD_OUTPUT in outputs:
        raise ValueError(f'{folder} is a folder: name a folder as output, not standard output (-)')
    if len(outputs) > 1:
        raise ValueError(f'{folder} is a folder: name one folder as output, not {len(outputs)}')
    if out.is_file() or (out.suffix.lower() in OUTPUT_SUFFIXES and not out.is_dir()):
        raise ValueError(f'{folder} is a folder: name a folder as output, and {out} names a file')
    if out.is_dir() and out.samefile(folder):
        raise ValueError(f'{out} is the folder of the videos: name another one as output')


def encode_in_folder(
    args: argparse.Namespace, encoder: StreamingEncoder, video: Path, target: Path, stop: Event
) -> None:
    """Under a name that says so until all of the video is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    check_outputs(str(video), [target], args.overwrite)
    partial = target.with_suffix(f'.partial{target.suffix}')
    with told(args) as summary:
        encode_one(args, encoder, str(video), [str(partial)], stop, True, summary)
        if not stop.is_set():
            os.replace(partial, target)
            summary.outputs = {str(target): summary.outputs.pop(str(partial))}


def describe(paths: list[Path], folder: Path) -> str:
    names = some_names(path.relative_to(folder) for path in paths)
    return printable(f'{len(paths)} ({names})')


if __name__ == '__main__':
    sys.exit(main())
