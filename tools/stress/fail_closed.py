#!/usr/bin/env python3
"""Break an encoding at every step: what has left is codes, and no byte of a clear frame.

    python tools/stress/fail_closed.py --faults 600

Each fault strikes a run of ``tools/encode_video.py`` of its own (a fork of this process) at a
random line of the package's code: an exception, a signal, no more memory, a full disk, another
encoder file, an encoder that gives something else than codes. Then everything that the run has
left behind is read: files, standard output and standard error. Codes must be those of an
undisturbed run, as far as they go, and no piece of a clear frame may be found anywhere.

A check that finds nothing proves little, so some runs are controls: there the encoder is broken in
the same ways while nothing watches it, and the check must find each of them.
"""

from __future__ import annotations

import argparse
import errno
import faulthandler
import io
import json
import multiprocessing
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import av
import numpy as np

from bdq_plugin.atomic_files import write_json
from bdq_plugin.deploy import PackedReader, encode_clip, encoding
from bdq_plugin.deploy.codes_video import CodesVideoReader, level_shades
from bdq_plugin.deploy.packed import PackedError
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.encoder_file import zoo_path
from bdq_plugin.version import __version__
from bdq_plugin.video.source import SourceError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / 'tools' / 'encode_video.py'
encode_video = runpy.run_path(str(TOOL))['main']
# Whose lines are steps; a fault may strike at each.
CODE = (str(REPOSITORY / 'bdq_plugin'), str(TOOL))
FRAMES, HEIGHT, WIDTH = 12, 24, 32
# Bytes of a clear frame that stand together nowhere else by chance: the frames are noise.
PIECE = 12
# Seconds without an end: it hangs, as Python may without memory, and is killed. What it has sent by
# then is read as that of any other run.
PATIENCE = 25
# Mean distance of JPEG's shades from those of the codes, of 255.
LOSS = 25


# ---------------------------------------------------------------- faults
class Fault:
    """What happens to a run, and at which step.

    Args:
        rng: decides about the particulars.
        step: line of the package's code, counted from the beginning.
        loaded: step at which the encoder's file has been read.
        encoder: that file.
    """

    name: str

    def __init__(self, rng: random.Random, steps: int, loaded: int, encoder: Path) -> None:
        self.rng, self.encoder = rng, encoder
        self.step = rng.randrange(loaded if self.after_loading else 1, steps)

    after_loading = False

    def prepare(self) -> None:
        """In the run's process, before its first step."""

    def strike(self) -> None:
        """In the run's process, at its step."""
        raise NotImplementedError


class Exception_(Fault):
    name = 'exception'

    def strike(self) -> None:
        kinds = (MemoryError, RuntimeError, ValueError, KeyboardInterrupt, SystemExit, IndexError)
        errors = [kind('injected') for kind in kinds]
        errors += [OSError(code, 'injected') for code in (errno.ENOSPC, errno.EIO, errno.EPIPE)]
        raise self.rng.choice(errors)


class Signal(Fault):
    name = 'killed'

    def strike(self) -> None:
        names = ('KILL', 'TERM', 'INT', 'ABRT', 'SEGV', 'BUS', 'QUIT', 'PIPE')
        os.kill(os.getpid(), getattr(signal, f'SIG{self.rng.choice(names)}'))


class NoMemory(Fault):
    name = 'out of memory'

    def strike(self) -> None:
        pages = int(Path('/proc/self/statm').read_text().split()[0])
        room = self.rng.choice((0, 1 << 12, 1 << 16, 1 << 20, 1 << 22))
        limit = pages * resource.getpagesize() + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class FullDisk(Fault):
    name = 'disk full'

    def prepare(self) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = self.rng.randrange(0, 12_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    def strike(self) -> None:
        """Every write from the beginning on."""


class AnotherFile(Fault):
    name = 'encoder file replaced'
    after_loading = True

    def strike(self) -> None:
        text = self.encoder.read_text()
        clear = json.loads(text)
        clear['config'].update(difference=False, blur=False)
        kind = self.rng.choice(('clear', 'half', 'empty', 'noise', 'gone', 'folder'))
        # Never in place: the run has a copy of the file of its own.
        self.encoder.unlink()
        if kind == 'folder':
            self.encoder.mkdir()
        elif kind != 'gone':
            texts = dict(clear=json.dumps(clear), half=text[: len(text) // 2], empty='')
            data = texts.get(kind, '').encode() or (b'' if kind == 'empty' else os.urandom(999))
            self.encoder.write_bytes(data)


def _clear(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray:
    return frame.copy()


def _clear_in_levels(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray:
    return frame >> 4


def _mirrored(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(frame[:, ::-1] >> 4)


def _without_difference(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray | None:
    """Of each frame and grey, not of each frame and the one before."""
    other = StreamingEncoder(encoder.form, compiled=False)
    ENCODE(other, np.full_like(frame, 127))
    return ENCODE(other, frame)


def _other_thresholds(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray | None:
    if not hasattr(encoder, 'other'):
        even = np.linspace(-(1 << 22), 1 << 22, len(encoder.form.thresholds)).astype(int)
        form = replace(encoder.form, thresholds=tuple(even.tolist()))
        encoder.other = StreamingEncoder(form, compiled=False)
    return ENCODE(encoder.other, frame)


def _first_frame_too(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray:
    codes = ENCODE(encoder, frame)
    return frame >> 4 if codes is None else codes


ENCODE = StreamingEncoder.__call__
BROKEN = (
    _clear,
    _clear_in_levels,
    _mirrored,
    _without_difference,
    _other_thresholds,
    _first_frame_too,
)
# Clear frames as they are have values that are no levels: the writers refuse them, watched or not.
CONTROLS = tuple(how for how in BROKEN if how is not _clear)


class BrokenEncoder(Fault):
    """From a frame on the encoder gives something else; with `watched` False nobody looks."""

    name = 'broken encoder'

    def __init__(self, *arguments: Any, how: Callable | None = None, watched: bool = True) -> None:
        super().__init__(*arguments)
        self.how, self.watched = how or self.rng.choice(BROKEN), watched
        self.first = 0 if self.how is _first_frame_too else self.rng.randrange(1, FRAMES - 2)

    def prepare(self) -> None:
        count = 0

        def encode(encoder: StreamingEncoder, frame: np.ndarray) -> np.ndarray | None:
            nonlocal count
            count += 1
            if count > self.first:
                struck()
            return (self.how if count > self.first else ENCODE)(encoder, frame)

        StreamingEncoder.__call__ = encode
        if not self.watched:
            encoding.Watchdog.__call__ = lambda self, frame, codes: None

    def strike(self) -> None:
        """Every frame from :attr:`first` on."""


KINDS = (Exception_, Signal, NoMemory, FullDisk, AnotherFile, BrokenEncoder)


# ---------------------------------------------------------------- runs
class Stage:
    """A clip of noise, its codes, and the runs that encode it.

    Args:
        root: a folder for all of them.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.source = root, root / 'source.mkv'
        rng = np.random.default_rng(0)
        # Blocks of 4 x 4: what the blur leaves of them reaches over many levels.
        blocks = rng.integers(0, 256, (FRAMES, HEIGHT // 4, WIDTH // 4, 3), np.uint8)
        self.clear = blocks.repeat(4, 1).repeat(4, 2)
        self.clear = (self.clear // 2 + rng.integers(0, 128, self.clear.shape)).astype(np.uint8)
        with av.open(str(self.source), 'w') as container:
            stream = container.add_stream('ffv1', rate=25)
            stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, 'bgr0'
            for index, pixels in enumerate(self.clear):
                frame = av.VideoFrame.from_ndarray(pixels, format='rgb24').reformat(format='bgr0')
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        self.encoder_text = zoo_path('bdq_hard_ixmas_take3').read_text()
        (root / 'encoder.json').write_text(self.encoder_text)
        self.form = StreamingEncoder(root / 'encoder.json').form
        self.codes = encode_clip(self.form, self.clear)  # compiles, before anything is forked
        self.pieces = set()
        for frame in self.clear:
            luma = av.VideoFrame.from_ndarray(frame, format='rgb24').reformat(format='gray')
            for layout in (frame, frame.transpose(2, 0, 1), frame[..., ::-1], luma.to_ndarray()):
                self.pieces |= pieces_of(layout.tobytes())
        self.steps, self.loaded = self._count()

    def play(self, fault: Fault | None, folder: Path, counter: Any = None) -> bool:
        """A run in a process of its own, which the fault strikes; whether it came to an end."""
        folder.mkdir()
        (folder / 'encoder.json').write_text(self.encoder_text)
        process = multiprocessing.get_context('fork').Process(
            target=self._work, args=(fault, folder, counter)
        )
        process.start()
        process.join(PATIENCE)
        ended = not process.is_alive()
        if not ended:
            process.kill()
            process.join()
        return ended

    def left_behind(self, folder: Path) -> tuple[list[str], int]:
        """Everything that must not have left, in words; and how many frames of codes have."""
        leaks, frames = [], 0
        known = {'x.bdq', 'x.mkv', 'stdout', 'stderr', 'encoder.json', '.struck'}
        for path in folder.rglob('*'):
            if path.name not in known:
                leaks.append(f'{path.name}: nobody asked for it')
            if path.is_file() and not self.pieces.isdisjoint(_windows(path.read_bytes())):
                leaks.append(f'{path.name}: bytes of a clear frame')
        for path, reader in (('x.bdq', PackedReader), ('x.mkv', CodesVideoReader)):
            found = _readable(reader, folder / path)
            frames += len(found)
            if not all(map(np.array_equal, found, self.codes)):
                leaks.append(f'{path}: frames that are not the codes')
        shades = level_shades(self.form.num_levels)
        for picture, codes in zip(_pictures(folder / 'stdout'), self.codes, strict=False):
            frames += 1
            distance = np.abs(picture.astype(int) - shades[codes]).mean()
            if distance > LOSS:
                leaks.append(f'stdout: a picture {distance:.0f} shades from the codes')
        return leaks, frames

    def _count(self) -> tuple[int, int]:
        """Steps of an undisturbed run, and that at which the encoder's file has been read."""
        counter = multiprocessing.get_context('fork').Array('l', 2)
        folder = self.root / 'whole'
        self.play(None, folder, counter)
        leaks, frames = self.left_behind(folder)
        if leaks or frames != 3 * len(self.codes):
            said = (folder / 'stderr').read_text()
            raise RuntimeError(f'an undisturbed run leaves {frames} frames, {leaks}: {said}')
        return counter[0], counter[1]

    def _work(self, fault: Fault | None, folder: Path, counter: Any) -> None:
        for number, name in ((1, 'stdout'), (2, 'stderr')):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
        os.chdir(folder)
        # A test runner's would write the stack of a run that is meant to die into its output.
        faulthandler.disable()
        sys.stderr = open(2, 'w', buffering=1, closefd=False)  # noqa: SIM115
        status = 1
        try:
            if fault is not None:
                fault.prepare()
            steps = Steps(fault, counter)
            threading.settrace(steps.trace)
            sys.settrace(steps.trace)
            arguments = ['encoder.json', str(self.source), 'x.bdq', 'x.mkv', '-']
            options = ['--codec', 'mjpeg', '--chunk-frames', '2', '--full-size', '--colour']
            status = encode_video([*arguments, *options])
        except BaseException:
            sys.settrace(None)
            traceback.print_exc()
        finally:
            sys.settrace(None)
            if status:
                struck()
            os._exit(status)


class Steps:
    """Count the lines of the package that are run, and let the fault strike at its own."""

    def __init__(self, fault: Fault | None, counter: Any) -> None:
        self._fault, self._counter, self._count = fault, counter, 0

    def trace(self, frame: FrameType, event: str, argument: object) -> Callable | None:
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == 'line':
            self._count += 1
            if self._counter is not None:
                self._counter[0] = self._count
                if not self._counter[1] and frame.f_code.co_name == 'choose_frames':
                    self._counter[1] = self._count
            if self._fault is not None and self._count == self._fault.step:
                struck()
                self._fault.strike()
        return self.trace


def struck() -> None:
    """The fault has met this run: it was reached, or has ended the run."""
    os.close(os.open('.struck', os.O_WRONLY | os.O_CREAT))


def pieces_of(data: bytes) -> set[bytes]:
    """Every piece of :data:`PIECE` bytes, wherever it begins; pieces of few values say nothing."""
    return {piece for piece in _windows(data) if len(set(piece)) > PIECE // 2}


def _windows(data: bytes) -> Iterator[bytes]:
    return (data[i : i + PIECE] for i in range(len(data) - PIECE + 1))


def _readable(reader: type, path: Path) -> list[np.ndarray]:
    """The frames before the first damage."""
    found = []
    try:
        for codes in reader(path):
            found.append(codes)
    except (PackedError, SourceError, FileNotFoundError):
        pass
    return found


def _pictures(path: Path) -> list[np.ndarray]:
    found, data = [], path.read_bytes() if path.exists() else b''
    try:
        with av.open(io.BytesIO(data), format='mjpeg') as container:
            for frame in container.decode(video=0):
                found.append(frame.reformat(format='rgb24').to_ndarray())
    except (av.error.FFmpegError, IndexError):
        pass
    # The last one may be cut: FFmpeg paints what is missing.
    return found if data.endswith(b'\xff\xd9') else found[:-1]


def break_repeatedly(stage: Stage, faults: int, rng: random.Random) -> dict[str, Any]:
    """Spend all faults, and the controls.

    Returns:
        ``faults``, ``struck`` (that met their run), ``hung``, ``leaks``, ``frames`` (of codes
        that were read in what was left), ``controls``, ``controls_found``, and the particulars.
    """
    kinds, met, hung, leaks, frames = Counter(), 0, 0, [], 0
    for number in range(faults):
        kind = KINDS[number % len(KINDS)]
        folder = stage.root / f'run{number}'
        fault = kind(rng, stage.steps, stage.loaded, folder / 'encoder.json')
        hung += not stage.play(fault, folder)
        found, count = stage.left_behind(folder)
        kinds[fault.name] += 1
        met += (folder / '.struck').exists()
        frames += count
        leaks += [f'{fault.name} at step {fault.step}: {leak}' for leak in found]
        if found:
            print(f'{number}: {leaks[-len(found) :]}', flush=True)
        shutil.rmtree(folder)
    missed = []
    for number, how in enumerate(CONTROLS):
        folder = stage.root / f'control{number}'
        fault = BrokenEncoder(
            rng, stage.steps, stage.loaded, folder / 'encoder.json', how=how, watched=False
        )
        stage.play(fault, folder)
        if not stage.left_behind(folder)[0]:
            missed.append(how.__name__)
        shutil.rmtree(folder)
    return dict(
        faults=faults,
        struck=met,
        hung=hung,
        leaks=len(leaks),
        frames=frames,
        controls=len(CONTROLS),
        controls_found=len(CONTROLS) - len(missed),
        controls_missed=missed,
        steps=stage.steps,
        each_kind=dict(kinds),
        each_leak=leaks,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--faults', type=int, default=600)
    parser.add_argument('--seed', type=int, default=0, help='of the steps')
    parser.add_argument('--out', default=REPOSITORY / 'results' / 'stress' / 'fail_closed.json')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='bdq_fail_') as folder:
        result = break_repeatedly(Stage(Path(folder)), args.faults, random.Random(args.seed))
    write_json(args.out, dict(seed=args.seed, **result, versions=dict(bdq_plugin=__version__)))
    keys = ('faults', 'struck', 'hung', 'leaks', 'controls', 'controls_found')
    print(', '.join(f'{result[key]} {key}' for key in keys), f': {args.out}')
    sys.exit(bool(result['leaks'] or result['controls_missed']))


if __name__ == '__main__':
    main()
