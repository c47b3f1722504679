"""Progress of a long job: a bar on a terminal, plain lines elsewhere, both with rate and time left.

Standard library alone: a camera, which has no torch and no MMEngine, shows its progress too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeVar

Item = TypeVar('Item')

_WIDTH = 24
# MMEngine's line of training: epoch, batch, batches of an epoch, and the time left.
_TRAINING = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].*?  eta: (.+?)  ')


class Progress:
    """How much of a job is done, how fast it goes, and the time left where its size is known.

    A terminal shows one line that is drawn over. Elsewhere, as in a log file, lines come after 5
    seconds and then ever more rarely, up to one a minute: a job that is over before that is silent.

    Args:
        what: said before the figures.
        total: size of the job, 0 where nobody knows (a camera, an address).
        unit: what is counted, in the plural.
        file: where to write; standard error by default.
        already: what was done before this began, as of a training that goes on.

    Example:
        >>> with Progress('reading', total=3, unit='files') as progress:
        ...     for done in (1, 2, 3):
        ...         progress.update(done)
    """

    def __init__(
        self,
        what: str,
        total: int = 0,
        unit: str = '',
        file: TextIO | None = None,
        already: float = 0,
    ) -> None:
        self.what, self.total, self.unit, self.already = what, total, unit, already
        self.file = file or sys.stderr
        self._terminal = self.file.isatty()
        self._start = time.monotonic()
        self._next = self._start + (0.0 if self._terminal else 5.0)
        self._drawn = ''

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()

    def update(self, done: float, note: str = '') -> None:
        """Show progress, if it was not shown just now.

        Args:
            done: how much of ``total``.
            note: said after the figures.
        """
        now = time.monotonic()
        if now >= self._next or (self._terminal and done == self.total):
            elapsed = now - self._start
            self._next = now + (0.2 if self._terminal else min(60.0, max(5.0, elapsed / 10)))
            self._show(done, elapsed, note)

    def finish(self) -> None:
        """Leave the bar's line; to be called in any case."""
        if self._terminal and self._drawn:
            print(file=self.file, flush=True)
            self._drawn = ''

    def _show(self, done: float, elapsed: float, note: str) -> None:
        count = f'{done}/{self.total}' if self.total else f'{done}'
        parts = [f'{count} {self.unit}'.rstrip()]
        if done > self.already and elapsed:
            rate = (done - self.already) / elapsed
            parts.append(rate_text(rate))
            if self.total:
                parts.append(f'{duration_text(max(0, self.total - done) / rate)} left')
        text = ', '.join([*parts, note] if note else parts)
        if not self._terminal:
            print(f'{self.what}: {text}', file=self.file, flush=True)
            return
        if self.total:
            share = min(1.0, done / self.total)
            text = f'[{("#" * round(_WIDTH * share)).ljust(_WIDTH)}] {share:4.0%} {text}'
        # A longer line would wrap, and what wrapped would stay.
        self._drawn = f'{self.what}: {text}'[: shutil.get_terminal_size().columns - 1]
        print(f'\r{self._drawn}\033[K', end='', file=self.file, flush=True)


def track(items: Sequence[Item], what: str, unit: str = '') -> Iterator[Item]:
    """Yield ``items``, showing how many are done.

    Args:
        items: what to go through.
        what, unit: see :class:`Progress`.
    """
    with Progress(what, len(items), unit) as progress:
        for done, item in enumerate(items, 1):
            yield item
            progress.update(done)


def follow_training(command: Sequence[str], log: str | os.PathLike, what: str) -> int:
    """Run ``tools/train.py`` in a process of its own and show how far its training is.

    Args:
        command: of the process.
        log: file that receives all that it prints.
        what: see :class:`Progress`.

    Returns:
        Its exit status.
    """
    options = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    with open(log, 'w') as file, subprocess.Popen(command, **options) as process:
        try:
            _show_training(process.stdout, file, what)
        except BaseException:
            # As subprocess.run does: nobody would read on, and nobody waits for its result.
            process.kill()
            raise
    return process.returncode


def _show_training(lines: Iterable[str], log: TextIO, what: str) -> None:
    progress = None
    for line in lines:
        log.write(line)
        log.flush()
        if match := _TRAINING.search(line):
            epoch, batch, batches = map(int, match.groups()[:3])
            # A training that goes on does not begin at its first epoch.
            progress = progress or Progress(what, unit='epochs', already=epoch - 1)
            progress.update(round(epoch - 1 + batch / batches, 1), f'{match[4]} left')
    if progress:
        progress.finish()


def rate_text(rate: float) -> str:
    """A rate in words: so many a second, or so long each."""
    if rate >= 1:
        return f'{rate:.0f}/s' if rate >= 10 else f'{rate:.1f}/s'
    return f'{duration_text(1 / rate)} each'


def duration_text(seconds: float) -> str:
    """A duration in the two units that matter.

    Example:
        >>> [duration_text(s) for s in (4.4, 200, 6000, 200000)]
        ['4 s', '3 min 20 s', '1 h 40 min', '2 d 7 h']
    """
    seconds = round(seconds)
    units = ((86400, 'd', 3600, 'h'), (3600, 'h', 60, 'min'), (60, 'min', 1, 's'))
    for size, unit, part_size, part in units:
        if seconds >= size:
            return f'{seconds // size} {unit} {seconds % size // part_size} {part}'
    return f'{seconds} s'
