"""Name the actions in a file, a camera or a stream of codes.

    python tools/recognize.py CONFIG CHECKPOINT clip.mp4     # clear video, encoded on the way
    python tools/recognize.py CONFIG CHECKPOINT 0            # a camera, until Ctrl-C
    python tools/recognize.py CONFIG CHECKPOINT clip.bdq     # codes alone; also .mkv of codes

CONFIG and CHECKPOINT are of stage 2, such as configs/bdq_kth_action.py, with the same --cfg-options
as in training, such as encoder_file=FILE. A line is one window of frames; the last line, of a
source that ends, is the mean of all windows.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from mmengine.config import DictAction

from bdq_plugin.deploy.codes_video import open_codes
from bdq_plugin.deploy.recognition import ActionRecognizer, Recognition, Repeatable
from bdq_plugin.engine.launch import load_config
from bdq_plugin.text_files import as_text, read_text
from bdq_plugin.video.files import printable
from bdq_plugin.video.source import TimedFrame, open_source

# Of a live stream, for a recipe that reads whole clips: about as long as an action lasts.
LIVE_SECONDS = 3.0


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of stage 2')
    parser.add_argument('checkpoint', help='checkpoint of stage 2')
    parser.add_argument('source', help='video, camera index, address, or .bdq / .mkv of codes')
    parser.add_argument('--labels', nargs='+', help='names of the classes, or a file of them')
    parser.add_argument(
        '--window',
        type=int,
        help='frames an answer; by default what the config reads, and where that is a whole clip, '
        f'{LIVE_SECONDS:.0f} s of a live stream',
    )
    parser.add_argument('--stride', type=int, help='frames between answers (default: half)')
    parser.add_argument('--timeout', type=float, default=10.0, help='silence of an address, s')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE ...')
    parser.add_argument('--threads', type=int, help='of the network on the CPU')
    return parser.parse_args(arguments)


def read_labels(labels: list[str] | None) -> list[str] | None:
    if not labels or len(labels) > 1:
        return labels
    path = Path(labels[0])
    if not path.is_file():
        if path.suffix:
            raise FileNotFoundError(f'no file of labels {path}')
        return labels
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not lines:
        raise ValueError(f'{path} holds no label')
    names = [as_text(line) for line in lines]
    guessed = next((name for name, line in zip(names, lines, strict=True) if name != line), None)
    if guessed is not None:
        print(f'{path} is not UTF-8, read as Windows-1252, as in {guessed!r}', file=sys.stderr)
    return names


def show(
    recognizer: ActionRecognizer, answers: Iterator[Recognition], frame_rate: Fraction
) -> None:
    """Print the answers as they come, and their mean where the source ends, or breaks off."""
    start, given = time.monotonic(), []

    def line(answer: Recognition, mark: str = '') -> str:
        first, last = answer.first_ms / 1000, answer.last_ms / 1000 + 1 / float(frame_rate)
        return f'{first:8.2f} to {last:8.2f} s  {answer.label}  {answer.confidence:.2f}{mark}'

    try:
        for answer in answers:
            given.append(answer)
            print(line(answer), flush=True)
    finally:
        if len(given) > 1:
            print(line(recognizer.overall(given), '  mean of all windows'))
        speed = len(given) / (time.monotonic() - start)
        print(f'{speed:.2f} windows a second', file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    options = dict(window=args.window, stride=args.stride)
    try:
        if args.threads is not None:
            if args.threads < 1:
                raise ValueError(f'--threads is 1 or more, got {args.threads}')
            torch.set_num_threads(args.threads)
        recognizer = ActionRecognizer(
            load_config(args.config, options=args.cfg_options),
            args.checkpoint,
            labels=read_labels(args.labels),
            device=args.device,
        )
        if Path(args.source).is_dir():
            raise ValueError(f'{args.source} is a folder: name one of its videos')
        codes = open_codes(args.source)
        if codes is not None:
            frames = Repeatable(codes.frames, codes.num_frames)
            answers = recognizer.on_codes(codes.form, frames, **options)
            show(recognizer, answers, codes.frame_rate)
            return 0
        with open_source(args.source, timeout=args.timeout) as source:
            if source.live and recognizer.reads_whole_clips and not args.window:
                options['window'] = math.ceil(LIVE_SECONDS * source.frame_rate)
            frames = source
            if not source.live:
                frames = Repeatable(partial(read_file, args.source), source.num_frames)
            show(recognizer, recognizer.on_frames(frames, **options), source.frame_rate)
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError) as error:
        print(f'error: {printable(str(error))}', file=sys.stderr)
        return 1
    return 0


def read_file(path: str) -> Iterator[TimedFrame]:
    with open_source(path) as source:
        yield from source


if __name__ == '__main__':
    sys.exit(main())
