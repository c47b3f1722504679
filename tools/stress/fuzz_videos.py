#!/usr/bin/env python3
"""Read thousands of damaged copies of real videos: each is read right or refused, never more.

    python tools/stress/fuzz_videos.py /work/shared/data --mutants 2000

Every mutant is read twice in a process of its own kind: through ``open_video``, all frames, and,
for the count, sequentially by PyAV. Allowed: all frames that can be decoded, or a ``VideoError``.
Counted as faults: a crash of the process, a hang, any other exception, and frames whose number is
not what can be decoded.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import decord

from bdq_plugin.datasets.video_reader import PyAVReader, VideoError, open_video
from bdq_plugin.engine.launch import write_json
from bdq_plugin.version import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
SUFFIXES = ('.avi', '.mp4')
FAULTS = ('crash', 'hang', 'exception', 'wrong count')
# Of the reading process: a header that declares a huge picture must not take the machine down.
MEMORY = 8 * 2**30


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
    cut_out, noise, wrong_extension,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('videos', help='folder of real videos, searched recursively')
    parser.add_argument('--mutants', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--timeout', type=float, default=60, help='seconds until it is a hang')
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--keep', help='folder for the mutants that were faults')
    parser.add_argument('--out', default=REPOSITORY / 'results' / 'stress' / 'fuzz_videos.json')
    args = parser.parse_args()
    sources = sorted(p for p in Path(args.videos).rglob('*') if p.suffix in SUFFIXES)
    if not sources:
        raise SystemExit(f'no video in {args.videos}: give a folder of {" and ".join(SUFFIXES)}')
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='bdq_fuzz_') as folder:
        results = read_all(
            [make_mutant(i, sources, Path(folder), args.seed) for i in range(args.mutants)], args
        )
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
            by_mutation={name: dict(by_mutation[name]) for name in sorted(by_mutation)},
            slowest_seconds=round(max(result['seconds'] for result in results), 2),
            seed=args.seed,
            seconds=round(time.monotonic() - start, 1),
            versions=dict(bdq_plugin=__version__, av=av.__version__, decord=decord.__version__),
        ),
    )
    print(f'{len(results)} mutants: {dict(outcomes)}: {args.out}')
    sys.exit(bool(faults))


def make_mutant(index: int, sources: list[Path], folder: Path, seed: int) -> dict[str, Any]:
    """A plan of mutant ``index``; its file is written when its turn comes."""
    mutation = MUTATIONS[index % len(MUTATIONS)]
    # The quotient, or each mutation would meet only some of the sources.
    source = sources[(index // len(MUTATIONS)) % len(sources)]
    suffix = source.suffix
    if mutation is wrong_extension:
        others = [s for s in (*SUFFIXES, '.mkv', '.png', '.txt') if s != suffix]
        suffix = random.Random(f'{seed}/{index}').choice(others)
    return dict(
        index=index,
        mutation=mutation.__name__,
        source=source,
        path=folder / f'mutant{index}{suffix}',
        seed=f'{seed}/{index}',
    )


def read_all(mutants: list[dict[str, Any]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Read every mutant in ``args.processes`` processes, each replaced when it dies or hangs."""
    readers = [Reader() for _ in range(args.processes)]
    waiting, results = list(reversed(mutants)), []
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
            results.append(result)
            if len(results) % 100 == 0:
                print(f'{len(results)} of {len(mutants)}', flush=True)
    for reader in readers:
        reader.stop()
    return sorted(results, key=lambda result: result['index'])


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
        mutate = next(m for m in MUTATIONS if m.__name__ == mutant['mutation'])
        data = mutate(mutant['source'].read_bytes(), random.Random(mutant['seed']))
        mutant['path'].write_bytes(data)
        self.mutant, self.since = mutant, time.monotonic()
        self.pipe.send(str(mutant['path']))

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
    """Read every path that comes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    av.logging.set_level(av.logging.PANIC)
    decord.logging.set_level(decord.logging.QUIET)
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        pipe.send(read(path))


def read(path: str) -> dict[str, Any]:
    """The outcome of one file."""
    try:
        reader = open_video(path)
        length = len(reader)
        if length == 0:
            return dict(outcome='refused', detail='no frame')
        count = 0
        # In parts, as a clip is read, and so that memory stays small.
        for first in range(0, length, 64):
            frames = reader.get_batch(range(first, min(first + 64, length)))
            if frames.shape[1:] != (reader.height, reader.width, 3):
                return dict(outcome='wrong count', detail=f'frames of shape {frames.shape}')
            count += len(frames)
        decodable = len(PyAVReader(path))
    except VideoError as error:
        return dict(outcome='refused', detail=str(error).replace(path, 'FILE')[:200])
    except Exception as error:
        return dict(outcome='exception', detail=f'{type(error).__name__}: {error}'[:200])
    if count != length or length != decodable:
        kind = type(reader).__name__
        detail = f'{kind} gave {count} of {length} frames, {decodable} can be decoded'
        return dict(outcome='wrong count', detail=detail)
    return dict(outcome='read', detail=f'{length} frames')


if __name__ == '__main__':
    main()
