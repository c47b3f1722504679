"""Name the actions in a file, a camera or a stream of codes.

    python tools/recognize.py zoo:ixmas_six_blocks clip.mp4  # a network of the package
    python tools/recognize.py CONFIG CHECKPOINT clip.mp4     # clear video, encoded on the way
    python tools/recognize.py CONFIG CHECKPOINT 0            # a camera, until Ctrl-C
    python tools/recognize.py CONFIG CHECKPOINT clip.bdq     # codes alone; also .mkv of codes
    python tools/recognize.py CONFIG CHECKPOINT rtsp://host/path --mqtt mqtt://host/bdq/hall

zoo:NAME is a network that comes with the package, its encoder included; a .safetensors file of
tools/publish_network.py is another one. CONFIG and CHECKPOINT are of stage 2, such as
configs/bdq_kth_action.py, with the same --cfg-options as in training, such as encoder_file=FILE. A
line is one window of frames; the last line, of a source that ends, is the mean of all windows. With
--threshold (or --mqtt) a line is an action that begins or ends instead, smoothed so that it does
not flicker. --json writes either as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from mmengine.config import DictAction

from bdq_plugin.deploy.codes_video import open_codes
from bdq_plugin.deploy.events import Event, EventDetector
from bdq_plugin.deploy.mqtt import MqttPublisher, as_json
from bdq_plugin.deploy.recognition import ActionRecognizer, Recognition, Repeatable
from bdq_plugin.engine.launch import load_config
from bdq_plugin.network_file import names_network
from bdq_plugin.text_files import as_text, read_text
from bdq_plugin.video.clock import end_of_frame
from bdq_plugin.video.files import printable
from bdq_plugin.video.source import TimedFrame, open_source

# Of a live stream, for a recipe that reads whole clips: about as long as an action lasts.
LIVE_SECONDS = 3.0


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of stage 2, or zoo:NAME and no checkpoint')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint of stage 2')
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
    parser.add_argument('--json', action='store_true', help='a line of JSON an answer')
    events = parser.add_argument_group('events', 'actions that begin and end, instead of windows')
    events.add_argument('--threshold', type=float, help='probability that begins one (0.5)')
    events.add_argument('--release', type=float, help='one that ends it (0.8 of the threshold)')
    events.add_argument('--smoothing', type=int, help='windows that are averaged (1)')
    events.add_argument('--min-duration', type=float, help='seconds that it must stay (0)')
    events.add_argument('--ignore', nargs='+', help='labels that are no event')
    events.add_argument('--mqtt', help='mqtt://[user:password@]host[:port]/topic to publish to')
    # Options may stand between positional arguments of which one may be missing.
    args = parser.parse_intermixed_args(arguments)
    published = names_network(args.config)
    if args.checkpoint is None and not published:
        parser.error('a config needs a checkpoint: CONFIG CHECKPOINT SOURCE')
    if published and args.cfg_options:
        parser.error(f'{args.config} is complete: --cfg-options are for a config')
    numbers = ('threshold', 'release', 'smoothing', 'min_duration', 'ignore')
    args.numbers = {n: v for n in numbers if (v := getattr(args, n)) is not None}
    if args.numbers and args.threshold is None and args.mqtt is None:
        parser.error(f'--{next(iter(args.numbers))} is of events: give --threshold or --mqtt, too')
    return args


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


class Windows:
    """A line an answer, and their mean in the end."""

    def __init__(self, recognizer: ActionRecognizer, as_lines_of_json: bool) -> None:
        self._recognizer, self._json = recognizer, as_lines_of_json
        self._given: list[Recognition] = []
        self._start = 0.0

    def tell(self, answer: Recognition, start: float, end: float) -> None:
        self._start = start if not self._given else self._start
        self._given.append(answer)
        self._end = end
        self._print(answer, start, end)

    def finish(self) -> None:
        if len(self._given) > 1:
            mean = self._recognizer.overall(self._given)
            self._print(mean, self._start, self._end, windows=len(self._given))

    def _print(self, answer: Recognition, start: float, end: float, **more: int) -> None:
        if self._json:
            numbers = dict(confidence=round(answer.confidence, 4), start=round(start, 3))
            print(json.dumps(dict(label=answer.label, **numbers, end=round(end, 3), **more)))
        else:
            mark = '  mean of all windows' if more else ''
            print(f'{start:8.2f} to {end:8.2f} s  {answer.label}  {answer.confidence:.2f}{mark}')
        sys.stdout.flush()


class Events:
    """A line where an action begins or ends, and a message to the broker."""

    def __init__(
        self, detector: EventDetector, publisher: MqttPublisher | None, as_lines_of_json: bool
    ) -> None:
        self._detector, self._publisher = detector, publisher
        self._json = as_lines_of_json

    def tell(self, answer: Recognition, start: float, end: float) -> None:
        self._print(self._detector.update(answer.scores, start, end))

    def finish(self) -> None:
        self._print(self._detector.finish())

    def _print(self, events: list[Event]) -> None:
        for event in events:
            if self._json:
                print(json.dumps(as_json(event)), flush=True)
            else:
                where = f'{event.start:8.2f} to {event.end:8.2f} s'
                text = f'{where}  {event.kind}  {event.label}  {event.confidence:.2f}'
                print(text, flush=True)
            if self._publisher is not None:
                self._publisher.publish(event)


def show(answers: Iterator[Recognition], frame_rate: Fraction, lines: Windows | Events) -> None:
    """Tell the answers as they come, and what is left where the source ends, or breaks off."""
    begin, count = time.monotonic(), 0
    try:
        for answer in answers:
            count += 1
            end = end_of_frame(answer.last_ms, answer.step_ms, frame_rate)
            lines.tell(answer, answer.first_ms / 1000, end)
    finally:
        lines.finish()
        speed = count / (time.monotonic() - begin)
        print(f'{speed:.2f} windows a second', file=sys.stderr)


def say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


@contextmanager
def lines_of(args: argparse.Namespace, recognizer: ActionRecognizer) -> Iterator[Windows | Events]:
    """What tells the answers, as the arguments say; the broker is left behind it."""
    if args.threshold is None and args.mqtt is None:
        yield Windows(recognizer, args.json)
        return
    labels = recognizer.labels
    detector = EventDetector(labels, **args.numbers)
    if args.mqtt is None:
        yield Events(detector, None, args.json)
        return
    with MqttPublisher(args.mqtt, labels, say=say) as publisher:
        yield Events(detector, publisher, args.json)


def recognize(
    args: argparse.Namespace, recognizer: ActionRecognizer, lines: Windows | Events
) -> None:
    options = dict(window=args.window, stride=args.stride)
    codes = open_codes(args.source)
    if codes is not None:
        if recognizer.interval > 1:
            say(
                f'the network reads each {recognizer.interval}th frame: codes are right that were '
                f'encoded with --every {recognizer.interval}'
            )
        frames = Repeatable(codes.frames, codes.num_frames)
        show(recognizer.on_codes(codes.form, frames, **options), codes.frame_rate, lines)
        return
    with open_source(args.source, timeout=args.timeout) as source:
        if source.live and recognizer.reads_whole_clips and not args.window:
            options['window'] = math.ceil(LIVE_SECONDS * source.frame_rate)
        frames = source
        if not source.live:
            frames = Repeatable(partial(read_file, args.source), source.num_frames)
        show(recognizer.on_frames(frames, **options), source.frame_rate, lines)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    try:
        if args.threads is not None:
            if args.threads < 1:
                raise ValueError(f'--threads is 1 or more, got {args.threads}')
            torch.set_num_threads(args.threads)
        config = args.config
        if not names_network(config):
            config = load_config(config, options=args.cfg_options)
        recognizer = ActionRecognizer(
            config,
            args.checkpoint,
            labels=read_labels(args.labels),
            device=args.device,
        )
        if Path(args.source).is_dir():
            raise ValueError(f'{args.source} is a folder: name one of its videos')
        with lines_of(args, recognizer) as lines:
            recognize(args, recognizer, lines)
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f'error: {printable(str(error))}', file=sys.stderr)
        return 1
    return 0


def read_file(path: str) -> Iterator[TimedFrame]:
    with open_source(path) as source:
        yield from source


if __name__ == '__main__':
    sys.exit(main())
