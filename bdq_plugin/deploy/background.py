"""A writer in a thread of its own: compression runs beside the encoder, safe from signals."""

from __future__ import annotations

import queue
import threading
from contextlib import closing
from typing import Protocol

import numpy as np

# Codes that wait for a writer; two frames may, whatever their size.
WAITING_BYTES = 1 << 26
_MOST_FRAMES = 256


class Writer(Protocol):
    """What writes codes: ``PackedWriter`` and ``CodesVideoWriter``."""

    frames: int
    bytes_written: int

    def write(self, codes: np.ndarray, time_ms: int) -> None: ...

    def close(self) -> None: ...


class BackgroundWriter:
    """Hand frames to a writer in another thread, through a queue of bounded size.

    ::

        encoder --write()--> queue, 64 MB at most --> thread: writer.write() --> file

    Python raises what a signal brings (Ctrl-C) in the main thread alone: nothing breaks off in the
    middle of a chunk, and ``close`` writes all that was accepted.

    Args:
        writer: is closed by ``close``.
        frame_bytes: size of a frame of codes.
        live: the source does not wait. What comes to a full queue is dropped and counted; else
            ``write`` waits for room.

    Attributes:
        dropped (int): frames that were not accepted.
    """

    def __init__(self, writer: Writer, frame_bytes: int, *, live: bool = False) -> None:
        self.writer, self.live, self.dropped = writer, live, 0
        room = min(max(WAITING_BYTES // frame_bytes, 2), _MOST_FRAMES)
        self._queue: queue.Queue[tuple[np.ndarray, int] | None] = queue.Queue(room)
        self._error: BaseException | None = None
        self._closed = False
        # A daemon: a process whose main thread has died without `close` must end.
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        """Frames that the writer has taken so far."""
        return self.writer.frames

    @property
    def bytes_written(self) -> int:
        return self.writer.bytes_written

    def write(self, codes: np.ndarray, time_ms: int) -> None:
        """Accept a frame, or drop it; its memory must not be changed afterwards.

        Raises:
            Exception: what the writer has raised at an earlier frame.
        """
        if self._error is not None:
            self.close()
        try:
            self._queue.put((codes, time_ms), block=not self.live)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write all that was accepted and finish the file. Safe to call again.

        Raises:
            Exception: what the writer has raised, unless ``write`` has told.
        """
        if self._closed:
            return
        self._queue.put(None)
        self._thread.join()
        self._closed = True
        if self._error is not None:
            raise self._error

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _work(self) -> None:
        items = iter(self._queue.get, None)
        try:
            with closing(self.writer):
                for codes, time_ms in items:
                    self.writer.write(codes, time_ms)
        except BaseException as error:
            self._error = error
        for _ in items:  # after an error: nobody waits for room in vain
            pass
