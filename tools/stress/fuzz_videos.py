#!/usr/bin/env python3
"""Read thousands of damaged copies of videos: each is read right or refused, never more.

    python tools/stress/fuzz_videos.py DATA --mutants 5000

The videos are those of a folder, and one of each kind of ``video_kinds.py``. Every mutant is read
in three ways:

- as a training reads it, by ``IsolatedVideo``: three clips, at the beginning, in the middle and at
  the end;
- as a camera's encoder reads it, by ``VideoSource``: all frames, one after another;
- by PyAV alone, from the beginning up to the first frame that FFmpeg calls damaged.

Allowed: as many frames as the last gives, with its pixels, or a ``VideoError``; for a decoder that
crashes or hangs in its own process, a ``VideoError`` too. ``VideoSource`` gives the same frames,
and then says so where FFmpeg, which paints damage over, would give more.

Then the mutant is opened with the digest of the video that it was made of, as the annotation has
it. Allowed: a ``VideoError`` where a byte has changed, else the frames of the original.

Counted as faults: a crash of the reading process, a hang, any other exception, another number of
frames, other pixels, frames lost without a word, times that do not rise, a changed file that the
digest lets through, and an unchanged one that it refuses. Counted apart: pixels that FFmpeg itself
makes anew each time, of damage that it does not see.

A run that was stopped goes on where it was when it is started again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np
from video_kinds import write_kinds

from bdq_plugin.atomic_files import write_json
from bdq_plugin.version import __version__
from bdq_plugin.video.container import VideoError
from bdq_plugin.video.files import VIDEO_SUFFIXES
from bdq_plugin.video.isolation import IsolatedVideo
from bdq_plugin.video.pixels import RGBConverter
from bdq_plugin.video.source import SourceError, VideoSource

REPOSITORY = Path(__file__).resolve().parents[2]
FAULTS = (
    'crash', 'hang', 'exception', 'wrong count', 'wrong pixels', 'two readers', 'lost silently',
    'times', 'change not seen',
)  # fmt: skip
# Of the reading process, which decodes too, as a check.
MEMORY = 8 * 2**30
CLIP_LEN = 16
# Seconds that the decoding process may take; the whole mutant has --timeout.
PATIENCE = 60.0
# Formats that a recording may be cut out of anywhere: what leads to its first key frame is missing.
# The latter have no container, and a file whose header is damaged may pass for one.
STREAMS = ('mpegts', 'mpeg', 'mpegvideo', 'm4v', 'h264', 'hevc', 'obu')
# Decodings, each from another frame on, that tell whether FFmpeg's pixels are always the same.
TRIES = 8


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def truncate_head(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, min(len(data), 8192))]


def empty(data: bytes, rng: random.Random) -> bytes:
    return b''


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    return _flip(data, rng, len(data))


def flip_head(data: bytes, rng: random.Random) -> bytes:
    return _flip(data, rng, min(len(data), 4096))


def flip_tail(data: bytes, rng: random.Random) -> bytes:
    damaged = _flip(data[::-1], rng, min(len(data), 8192))
    return damaged[::-1]


def huge_size(data: bytes, rng: random.Random) -> bytes:
    """Another picture size in every AVI header; in a file of another form, flipped bits."""
    damaged = bytearray(data)
    place = data.find(b'avih')
    stream = data.find(b'strf')
    if min(place, stream) < 0:
        return flip_head(data, rng)
    size = rng.choice([(1, 1), (48, 64), (2**15, 2**15), (2**31 - 1, 2**31 - 1), (0, 0)])
    packed = b''.join(side.to_bytes(4, 'little') for side in size)
    damaged[place + 40 : place + 48] = packed
    damaged[stream + 12 : stream + 20] = packed
    return bytes(damaged)


def more_frames(data: bytes, rng: random.Random) -> bytes:
    """A header that promises more frames than there are."""
    damaged = bytearray(data)
    for name, offset in ((b'avih', 24), (b'strh', 40)):
        place = data.find(name)
        if place < 0:
            return flip_head(data, rng)
        damaged[place + offset : place + offset + 4] = rng.randrange(2**31).to_bytes(4, 'little')
    return bytes(damaged)


def cut_out(data: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:first] + data[last:]


def join(data: bytes, rng: random.Random) -> bytes:
    """Another recording behind it, from somewhere on."""
    return data + data[rng.choice([0, rng.randrange(len(data))]) :]


def noise(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 65536))


def wrong_extension(data: bytes, rng: random.Random) -> bytes:
    return data  # the name is what changes


def _flip(data: bytes, rng: random.Random, end: int) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 4, 16, 64, 256])):
        damaged[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    truncate, truncate_head, empty, flip_bits, flip_head, flip_tail, huge_size, more_frames,
    cut_out, join, noise, wrong_extension,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('videos', help='folder of real videos, searched recursively')
    parser.add_argument('--mutants', type=int, default=5000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--timeout', type=float, default=300, help='seconds until it is a hang')
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--keep', help='folder for the mutants that were faults')
    parser.add_argument('--out', default=REPOSITORY / 'results' / 'stress' / 'fuzz_videos.json')
    args = parser.parse_args()
    sources = sorted(p for p in Path(args.videos).rglob('*') if p.suffix.lower() in VIDEO_SUFFIXES)
    if not sources:
        raise SystemExit(f'no video in {args.videos}: give a folder of real ones')
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='bdq_fuzz_') as folder:
        sources += write_kinds(Path(folder, 'kinds'))
        mutants = [make_mutant(i, sources, Path(folder), args.seed) for i in range(args.mutants)]
        progress = Progress(Path(args.out), args.seed, [path.name for path in sources])
        known = progress.results()
        waiting = [mutant for mutant in mutants if mutant['index'] not in known]
        for result in read_all(waiting, args):
            progress.add(result)
        known = progress.results()
        results = [known[mutant['index']] for mutant in mutants]
    outcomes = Counter(result['outcome'] for result in results)
    faults = [result for result in results if result['outcome'] in FAULTS]
    by_mutation: dict[str, Counter] = {}
    for result in results:
        by_mutation.setdefault(result['mutation'], Counter())[result['outcome']] += 1
    write_json(
        args.out,
        dict(
            mutants=len(results),
            sources=[path.name for path in sources],
            outcomes=dict(outcomes),
            faults=len(faults),
            each_fault=faults,
            decoder_crashes_contained=count(results, 'crashed'),
            decoder_hangs_contained=count(results, 'took longer'),
            not_reproducible_by_ffmpeg=sum(
                result.get('reproducible') is False for result in results
            ),
            read_unlike_the_original_without_digest=sum(
                result.get('like_original') is False for result in results
            ),
            by_mutation={name: dict(by_mutation[name]) for name in sorted(by_mutation)},
            slowest_seconds=round(max(result['seconds'] for result in results), 2),
            seed=args.seed,
            seconds=round(time.monotonic() - start, 1),
            versions=dict(bdq_plugin=__version__, av=av.__version__),
        ),
    )
    progress.path.unlink()
    print(f'{len(results)} mutants: {dict(outcomes)}: {args.out}')
    sys.exit(bool(faults))


def count(results: list[dict[str, Any]], words: str) -> int:
    """How many were refused for this reason."""
    return sum(words in result.get('detail', '') for result in results)


def make_mutant(index: int, sources: list[Path], folder: Path, seed: int) -> dict[str, Any]:
    """A plan of mutant ``index``; its file is written when its turn comes."""
    mutation = MUTATIONS[index % len(MUTATIONS)]
    # The quotient, or each mutation would meet only some of the sources.
    source = sources[(index // len(MUTATIONS)) % len(sources)]
    suffix = source.suffix
    if mutation is wrong_extension:
        others = [s for s in ('.avi', '.mp4', '.mkv', '.ts', '.png', '.txt') if s != suffix]
        suffix = random.Random(f'{seed}/{index}').choice(others)
    return dict(
        index=index,
        mutation=mutation.__name__,
        source=source,
        path=folder / f'mutant{index}{suffix}',
        seed=f'{seed}/{index}',
    )


def write_mutant(mutant: dict[str, Any]) -> None:
    """Write the file of a planned mutant."""
    mutate = next(m for m in MUTATIONS if m.__name__ == mutant['mutation'])
    data = mutate(mutant['source'].read_bytes(), random.Random(mutant['seed']))
    mutant['path'].write_bytes(data)


class Progress:
    """What has become of the mutants so far, in a file beside the result."""

    def __init__(self, out: Path, seed: int, sources: list[str]) -> None:
        self.path = out.with_suffix('.part')
        head = json.dumps([seed, sources, __version__, av.__version__])
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        if lines[:1] != [head]:
            self.path.write_text(f'{head}\n')

    def results(self) -> dict[int, dict[str, Any]]:
        """By index of the mutant."""
        found = map(json.loads, self.path.read_text().splitlines()[1:])
        return {result['index']: result for result in found}

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result."""
        with self.path.open('a') as file:
            file.write(f'{json.dumps(result)}\n')


def read_all(mutants: list[dict[str, Any]], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Read every mutant in ``args.processes`` processes, each replaced when it dies or hangs."""
    readers = [Reader() for _ in range(args.processes)]
    waiting, done = list(reversed(mutants)), 0
    while waiting or any(reader.mutant for reader in readers):
        for reader in readers:
            if reader.mutant is None and waiting:
                reader.start(waiting.pop())
            result = reader.poll(args.timeout)
            if result is None:
                continue
            path = Path(result.pop('path'))
            if args.keep and result['outcome'] in FAULTS:
                Path(args.keep).mkdir(parents=True, exist_ok=True)
                (Path(args.keep) / path.name).write_bytes(path.read_bytes())
            path.unlink()
            yield result
            done += 1
            if done % 100 == 0:
                print(f'{done} of {len(mutants)}', flush=True)
    for reader in readers:
        reader.stop()


class Reader:
    """A process that reads mutants, seen from outside."""

    def __init__(self) -> None:
        self.mutant: dict[str, Any] | None = None
        self._spawn()

    def _spawn(self) -> None:
        context = multiprocessing.get_context('fork')
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=serve, args=(far,), daemon=True)
        self.process.start()
        far.close()

    def start(self, mutant: dict[str, Any]) -> None:
        """Write a mutant and give it to the process."""
        write_mutant(mutant)
        self.mutant, self.since = mutant, time.monotonic()
        self.pipe.send((str(mutant['path']), str(mutant['source'])))

    def poll(self, timeout: float) -> dict[str, Any] | None:
        """What has become of the mutant, or None so far."""
        if self.mutant is None:
            return None
        seconds = time.monotonic() - self.since
        try:
            if self.pipe.poll(0.01):
                answer = self.pipe.recv()
            elif seconds > timeout:
                answer = dict(outcome='hang')
            else:
                return None
        except (EOFError, ConnectionError):
            self.process.join()
            answer = dict(outcome='crash', detail=f'exit code {self.process.exitcode}')
        if answer['outcome'] in ('hang', 'crash'):
            self.stop()
            self._spawn()
        result = dict(self.mutant, **answer, seconds=round(seconds, 2))
        result['source'], self.mutant = result['source'].name, None
        return result

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def serve(pipe: Connection) -> None:
    """Read every mutant that comes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    av.logging.set_level(av.logging.PANIC)
    while True:
        try:
            path, source = pipe.recv()
        except EOFError:
            return
        pipe.send(read(path, source))


def read(path: str, source: str) -> dict[str, Any]:
    """The outcome of one mutant."""
    try:
        found = check_readers(path, source)
        if found is not None and 'outcome' in found:
            return found
        return {**check_digest(path, source), **(found or {})}
    except VideoError as error:
        return check_digest(path, source, str(error).replace(path, 'FILE')[:200])
    except Exception as error:
        return dict(outcome='exception', detail=f'{type(error).__name__}: {error}'[:200])


def check_readers(path: str, source: str) -> dict[str, Any] | None:
    """A fault, or None where both readers give what sequential decoding gives.

    Where nothing can be told, because FFmpeg's own pixels change: ``reproducible`` alone.
    """
    try:
        video = IsolatedVideo(path, timeout=PATIENCE)
        length = len(video)
    except VideoError as error:
        was_contained = 'the decoder crashed' in str(error) or 'took longer' in str(error)
        if not was_contained and is_streamed(path):
            return dict(outcome='two readers', detail=f'streamed, but not read: {error}'[:200])
        raise
    clips = [clip for clip in clips_of(original(source)[0]) if clip[-1] < length]
    clips = [clip for clip in clips + clips_of(length)[-1:] if clip]
    wanted = {i for clip in clips for i in clip}
    plain = name_for_ffmpeg(path, source)
    decodable, expected = decode_from_the_beginning(plain, wanted)
    if length != decodable:
        return dict(outcome='wrong count', detail=f'{length} frames, {decodable} can be decoded')
    for clip in clips:
        try:
            frames = video.get_batch(clip)
        except VideoError:
            if len({expected[i].shape for i in clip}) == 1:
                raise
            continue  # its frames change size on the way
        if not all(np.array_equal(a, expected[i]) for a, i in zip(frames, clip, strict=True)):
            if not is_reproducible(plain, expected):
                return dict(reproducible=False)
            return dict(outcome='wrong pixels', detail=f'frames {clip[0]} to {clip[-1]}')
    return check_stream(path, plain, length, expected)


def is_streamed(path: str) -> bool:
    """Whether the camera's reader gives a frame."""
    try:
        with VideoSource(path, grey=False) as stream:
            next(iter(stream))
    except VideoError:
        return False
    return True


def is_reproducible(path: str, expected: dict[int, np.ndarray]) -> bool:
    """Whether FFmpeg gives the same pixels where only its memory differs: by what became of the
    frames before.

    Of damage that it does not see, some of its decoders make pixels of whatever lies in memory.
    """
    for first in sorted(expected)[:: max(1, len(expected) // TRIES)]:
        wanted = {i for i in expected if i >= first}
        for hold in (True, False):
            _, found = decode_from_the_beginning(path, wanted, hold)
            if not all(np.array_equal(found[i], expected[i]) for i in found):
                return False
    return True


def name_for_ffmpeg(path: str, source: str) -> str:
    """A file of the same bytes: FFmpeg by itself may be misled by the end of a wrong name."""
    return source if Path(path).read_bytes() == Path(source).read_bytes() else path


def check_stream(
    path: str, plain: str, length: int, expected: dict[int, np.ndarray]
) -> dict[str, Any] | None:
    """A fault, or None where ``VideoSource`` gives the same frames."""
    count, times, end = 0, [-1], ''
    try:
        with VideoSource(path, grey=False) as stream:
            for time_ms, pixels in stream:
                if count in expected and not np.array_equal(pixels, expected[count]):
                    if not is_reproducible(plain, expected):
                        return dict(reproducible=False)
                    return dict(outcome='two readers', detail=f'frame {count} has other pixels')
                times.append(time_ms)
                count += 1
    except SourceError as error:
        end = str(error)
    if any(a >= b for a, b in pairwise(times)):
        return dict(outcome='times', detail='they do not rise')
    if count != length and 'changes from' not in end:
        return dict(outcome='two readers', detail=f'{length} frames in training, {count} streamed')
    if not end and (painted := count_painted(plain)) > count:
        return dict(outcome='lost silently', detail=f'{count} frames, FFmpeg paints {painted}')
    return None


def check_digest(path: str, source: str, refused: str = '') -> dict[str, Any]:
    """The outcome of a mutant that was read right, or ``refused`` for this reason."""
    length, digest, expected = original(source)
    changed = hashlib.sha256(Path(path).read_bytes()).hexdigest() != digest
    try:
        known = IsolatedVideo(path, length, digest, timeout=PATIENCE)
    except VideoError as error:
        if not changed:
            return dict(outcome='exception', detail=f'refused as changed: {error}'[:200])
    else:
        if changed:
            return dict(outcome='change not seen', detail='opened in spite of the digest')
        for clip in clips_of(length):
            if not np.array_equal(known.get_batch(clip), [expected[i] for i in clip]):
                return dict(outcome='wrong pixels', detail='unlike the original')
    if refused:
        return dict(outcome='refused', detail=refused)
    found, frames = decode_from_the_beginning(name_for_ffmpeg(path, source), set(expected))
    alike = all(np.array_equal(frames[i], expected[i]) for i in frames)
    return dict(outcome='read', detail=f'{found} of {length} frames', like_original=alike)


def clips_of(length: int) -> list[range]:
    """The first, the middle and the last frames of a video of so many."""
    middle, last = max(length - CLIP_LEN, 0) // 2, max(length - CLIP_LEN, 0)
    return [range(first, min(first + CLIP_LEN, length)) for first in (0, middle, last)]


@lru_cache
def original(source: str) -> tuple[int, str, dict[int, np.ndarray]]:
    """Number of frames, digest, and the frames of the clips of a real video."""
    length, _ = decode_from_the_beginning(source, set())
    wanted = {i for clip in clips_of(length) for i in clip}
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return length, digest, decode_from_the_beginning(source, wanted)[1]


def decode_from_the_beginning(
    path: str, wanted: set[int], hold: bool = False
) -> tuple[int, dict[int, np.ndarray]]:
    """Number of frames before the first damaged one, and the ``wanted`` ones; PyAV, no seeking.

    ``hold`` keeps every frame, so that the decoder gets other memory for the next.
    """
    found: dict[int, np.ndarray] = {}
    held, length, to_rgb = [], 0, RGBConverter()
    try:
        for frame in decode_plainly(path, strict=True):
            if frame.is_corrupt:
                break
            if length in wanted:
                found[length] = to_rgb(frame)
            length += 1
            held += [frame] * hold
    except av.error.FFmpegError:
        pass
    return length, found


def count_painted(path: str) -> int:
    """Number of frames from the first whole one on, where damage is painted over, up to what ends
    even that.
    """
    count = 0
    try:
        for frame in decode_plainly(path):
            count += count > 0 or not frame.is_corrupt
    except av.error.FFmpegError:
        pass
    return count


@contextmanager
def errors_of(codec: av.CodecContext) -> Iterator[list[tuple[int, str, str]]]:
    """What FFV1's decoder mentions alone; nothing of another one."""
    if codec.name != 'ffv1':
        yield []
        return
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as log:
        yield log
    av.logging.set_level(level)


def decode_plainly(path: str, strict: bool = False) -> Iterator[av.VideoFrame]:
    """Frames of the stream that FFmpeg's command line takes; ``strict``, up to the first damage."""
    with av.open(path, metadata_errors='replace') as container:
        videos = [s for s in container.streams.video if s.codec_context is not None]
        videos = [s for s in videos if not s.disposition & av.stream.Disposition.attached_pic]
        stream = max(
            videos,
            key=lambda s: (
                bool(s.disposition & av.stream.Disposition.default),
                s.codec_context.width * s.codec_context.height,
                -s.index,
            ),
        )
        codec = stream.codec_context
        codec.thread_count = 1
        codec.options = {'err_detect': 'crccheck+explode'} if strict else {}
        may_begin_anywhere = container.format.name in STREAMS
        begun = failed = False
        for packet in container.demux(stream):
            if packet.is_keyframe and not begun:
                begun = True
                if failed:
                    codec.flush_buffers()
            try:
                with errors_of(codec) as log:
                    frames = codec.decode(packet)
            except av.error.FFmpegError:
                if begun or not may_begin_anywhere:
                    raise
                failed = True
                continue
            if strict and any('CRC mismatch' in text for *_, text in log):
                raise av.error.InvalidDataError(0, 'its checksum is wrong')
            failed = failed and not frames
            yield from frames
            if not packet.size:
                return


if __name__ == '__main__':
    main()
