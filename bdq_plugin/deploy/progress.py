"""Progress of a stream: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 30


class StreamProgress:
    """Frames done, frames a second, bits a second that leave, and the time left where it is known.

    Args:
        what: said before the figures.
        total: number of frames, 0 where the source does not say (a camera, an address).
        file: where to write; standard error by default.
    """

    def __init__(self, what: str, total: int = 0, file: TextIO | None = None) -> None:
        self.what, self.total, self.file = what, total, file or sys.stderr
        self._terminal = self.file.isatty()
        self._interval = 0.2 if self._terminal else 5.0
        self._start = self._shown = time.monotonic()

    def update(self, done: int, bits_per_second: float = 0.0) -> None:
        """Show progress, if it was not shown just now."""
        now = time.monotonic()
        if now - self._shown >= self._interval:
            self._shown = now
            self._show(done, bits_per_second, now - self._start)

    def finish(self) -> None:
        """Leave the bar's line; to be called in any case."""
        if self._terminal:
            print(file=self.file)

    def _show(self, done: int, bits_per_second: float, elapsed: float) -> None:
        rate = done / elapsed
        text = f'{done} frames, {rate:.0f}/s, {bits_per_second / 1e6:.2f} Mbit/s leave'
        if self.total:
            share = min(1.0, done / self.total)
            left = max(0, self.total - done) / rate if rate else 0
            bar = ('#' * round(_WIDTH * share)).ljust(_WIDTH)
            text = f'[{bar}] {100 * share:3.0f}% {text}, {left:.0f} s left'
        if self._terminal:
            print(f'\r{self.what}: {text}\033[K', end='', file=self.file, flush=True)
        else:
            print(f'{self.what}: {text}', file=self.file, flush=True)
