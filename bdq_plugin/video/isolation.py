"""Decoding in a process of its own: a decoder that crashes or hangs costs the clip, not the run.

::

    data loader worker                         decoding process (server.py)
    IsolatedVideo.get_batch  -- JSON request -->  VideoFile.get_batch
                             <- JSON answer ---
              shared memory  <- frames --------

There is one decoding process for each process that reads videos. It is started at the first video,
started anew after a crash, a hang or a fork, and ends with the process that it works for.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from .container import VideoError
from .pixels import luma_of_rgb
from .reader import FileKey, file_key
from .shared_memory import SharedBuffer

SERVER = Path(__file__).with_name('server.py')
# Seconds until a child that does not start is given up.
_PATIENCE = 120.0

Video = tuple[str, int | None, str | None]

_ERRORS = (VideoError, FileNotFoundError, IndexError, ValueError, RuntimeError)
_ERROR_OF_NAME = {error.__name__: error for error in _ERRORS}


class IsolatedVideo:
    """A video file that the decoding process reads. A reader like ``VideoFile``.

    Args:
        path: The video file.
        num_frames: As for ``VideoFile``.
        sha256: As for ``VideoFile``.
        timeout: Seconds that one request may take.

    Raises:
        VideoError: As ``VideoFile``, and where the decoder crashes or exceeds ``timeout``.
        FileNotFoundError: There is no such file.
    """

    def __init__(
        self,
        path: str | Path,
        num_frames: int | None = None,
        sha256: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._video = (os.path.abspath(path), num_frames, sha256)
        self._timeout = timeout
        self._length = num_frames
        self.fps = _read_fps(self._video, file_key(path), timeout)

    def __len__(self) -> int:
        if self._length is None:
            self._length = _ask(self._video, self._timeout, what='length')[0]['length']
        return self._length

    def size(self) -> tuple[int, int]:
        """As of ``VideoFile``."""
        return tuple(_ask(self._video, self._timeout, what='size')[0]['size'])

    def times_ms(self) -> list[int]:
        """As of ``VideoFile``."""
        return _ask(self._video, self._timeout, what='times')[0]['times']

    def get_batch(self, indices: Sequence[int], grey: bool = False) -> np.ndarray:
        """See ``VideoReader``."""
        indices = np.asarray(indices).reshape(-1).tolist()
        take = _take_luma if grey else np.copy
        return _ask(self._video, self._timeout, take, what='frames', indices=indices)[1]


# Remembered, so that a clip of a file that is known takes one request and not two.
@lru_cache(4096)
def _read_fps(video: Video, key: FileKey, timeout: float) -> float:
    return _ask(video, timeout, what='open')[0]['fps']


# Makes an array of its own from frames whose place the next clip takes.
Take = Callable[[np.ndarray], np.ndarray]


def _take_luma(frames: np.ndarray) -> np.ndarray:
    return luma_of_rgb(frames)[..., None]


def _ask(
    video: Video, timeout: float, take: Take = np.copy, **request: Any
) -> tuple[dict[str, Any], np.ndarray | None]:
    return _decoder.ask(dict(request, video=video), timeout, take)


class DecodingProcess:
    """The child, seen from its parent: started when it is needed, replaced when it fails."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()

    def ask(
        self, request: dict[str, Any], timeout: float, take: Take = np.copy
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        """Send a request and wait for its answer, and for the frames, where there are some.

        Raises:
            VideoError: the child died or did not answer in time; the next request starts another.
            Exception: what the child raised.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._restart()
            try:
                answer, frames = self._exchange(request, timeout, take)
            except TimeoutError:
                self._process.kill()
                reason = f'decoding took longer than {timeout:g} s'
                self.stop()
            except (EOFError, ConnectionError):
                reason = f'the decoder crashed ({_how_it_ended(self.stop())})'
            except BaseException:
                self.stop()  # an answer that nobody has read must not be taken for the next one
                raise
            else:
                if 'error' in answer:
                    raise _ERROR_OF_NAME[answer['error']](answer['message'])
                return answer, frames
        raise VideoError(f'{request["video"][0]}: {reason}')

    def _receive(self, timeout: float) -> dict[str, Any]:
        if not self._connection.poll(timeout):
            raise TimeoutError
        return json.loads(self._connection.recv_bytes())

    def stop(self) -> int | None:
        """End the child; return its exit code."""
        if self._process is None:
            return None
        self._release()
        try:
            self._process.wait(0.2)  # where it has crashed, its own exit code is wanted
        except subprocess.TimeoutExpired:
            self._process.kill()
        code = self._process.wait()
        self._process = None
        return code

    def _restart(self) -> None:
        self.stop()
        self._connection, far = Pipe()
        self._buffer = SharedBuffer()
        handles = [far.fileno(), self._buffer.fileno()]
        with far:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), *map(str, handles)],
                pass_fds=handles,
                stdin=subprocess.DEVNULL,
            )
        try:
            self._receive(_PATIENCE)
        except (TimeoutError, EOFError, ConnectionError):
            self._process.kill()
            reason = _how_it_ended(self.stop())
            raise RuntimeError(f'the decoding process does not start ({reason})') from None

    def _release(self) -> None:
        self._connection.close()
        self._buffer.close()

    def disown(self) -> None:
        """Let go of a child that belongs to the process that this one was forked from."""
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
            self._release()

    def _exchange(
        self, request: dict[str, Any], timeout: float, take: Take
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        self._connection.send_bytes(json.dumps(dict(request, timeout=timeout)).encode())
        answer = self._receive(timeout)
        shape = answer.get('shape')
        return answer, None if shape is None else take(self._buffer.array(shape))


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f'exit code {code}'


def _leave_to_parent() -> None:
    """A forked process starts a child of its own and lets go of its parent's."""
    global _decoder
    _decoder.disown()
    _decoder = DecodingProcess()


_decoder = DecodingProcess()
os.register_at_fork(after_in_child=_leave_to_parent)
atexit.register(lambda: _decoder.stop())
