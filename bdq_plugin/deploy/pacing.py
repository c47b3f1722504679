"""A file as if it were a camera: each frame leaves at its own time."""

from __future__ import annotations

import time
from threading import Event


class Pacer:
    """Wait until a frame's time has come, counted from the first frame; never for one that is late.

    Args:
        stop: ends a wait early.
    """

    def __init__(self, stop: Event | None = None) -> None:
        self._stop = stop or Event()
        self._zero: float | None = None

    def __call__(self, time_ms: int) -> None:
        """Wait for the frame of this time, in ms."""
        now = time.monotonic()
        if self._zero is None:
            self._zero = now - time_ms / 1000
        early = self._zero + time_ms / 1000 - now
        if early > 0:
            self._stop.wait(early)
