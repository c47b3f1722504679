"""A live source that is opened anew whenever it breaks off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from threading import Event

from .source import SourceError, TimedFrame, is_camera, is_url, open_source

# Seconds between two tries: doubled from the first to the longest, begun anew by a frame.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class ReconnectingSource:
    """Frames of an address or a camera, through every loss of it.

    Times go on over a gap by the clock of this machine. What comes after it may have another size:
    frames of one connection have one.

    Args:
        source: address, or index of a camera.
        stop: ends the frames, and the waiting.
        say: is given each loss, and each try that fails, in words.
        first_wait, longest_wait: seconds between two tries; doubled from one to the next.
        **options: see :func:`~.source.open_source`.

    Attributes:
        connections (int): how often it was opened; a frame belongs to the last one.
        frame_rate (Fraction): nominal frames a second, of the last connection.
        bytes_read (int): size of the video packets so far, of all connections.

    Raises:
        ValueError: a file: what is read of it once is all of it.
    """

    live, num_frames = True, 0

    def __init__(
        self,
        source: str,
        *,
        stop: Event,
        say: Callable[[str], None],
        first_wait: float = FIRST_WAIT,
        longest_wait: float = LONGEST_WAIT,
        **options: object,
    ) -> None:
        if not (is_url(source) or is_camera(source)):
            raise ValueError(f'{source} is a file: only addresses and cameras are opened anew')
        self.name, self._stop, self._say, self._options = source, stop, say, options
        self._waits = first_wait, longest_wait
        self.connections, self.bytes_read, self.frame_rate = 0, 0, Fraction(25)

    def __iter__(self) -> Iterator[TimedFrame]:
        """Frames until ``stop`` is set, or a source that has an end (a file by HTTP) has ended."""
        wait, longest = self._waits
        self._last_ms, self._last_moment = -1, time.monotonic()
        while not self._stop.is_set():
            try:
                for frame in self._connection():
                    wait = self._waits[0]
                    yield frame
                return
            except SourceError as error:
                self._say(f'{error}; the next try is in {wait:g} s')
            self._stop.wait(wait)
            wait = min(2 * wait, longest)

    def _connection(self) -> Iterator[TimedFrame]:
        before, begin = self.bytes_read, None
        with open_source(self.name, **self._options) as source:
            self.connections += 1
            self.frame_rate = source.frame_rate
            for time_ms, pixels in source:
                moment = time.monotonic()
                if begin is None:
                    gap = round(1000 * (moment - self._last_moment))
                    begin = 0 if self._last_ms < 0 else self._last_ms + max(gap, 1)
                self._last_ms, self._last_moment = begin + time_ms, moment
                self.bytes_read = before + source.bytes_read
                yield TimedFrame(self._last_ms, pixels)
