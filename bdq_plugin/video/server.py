"""The program of the decoding process (see :mod:`.isolation`): it reads videos for its parent.

    python server.py CONNECTION BUFFER

It is run as a file, under a bare parent in place of the package, whose own ``__init__`` would
import MMAction2: so it starts within a fraction of a second and holds no torch. Its arguments are
two inherited file descriptors. Requests and answers are JSON, frames are bytes in shared memory:
nothing that comes from here is code to the parent.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import sys
import types
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av

if __name__ == '__main__':
    package = sys.modules['bdq_plugin'] = types.ModuleType('bdq_plugin')
    package.__path__ = [str(Path(__file__).parents[1])]

from bdq_plugin.video.container import VideoError
from bdq_plugin.video.reader import VideoFile, VideoReader
from bdq_plugin.video.shared_memory import SharedBuffer

# Address space: a header that declares a huge picture must not take the machine down.
MEMORY = 8 * 2**30
# A hanging decoder ends by itself when its parent has gone and cannot end it; seconds of grace.
GRACE = 5
# Errors that keep their type on the way to the parent.
# Others are faults of the program and not of a video.
UNREADABLE = (av.error.FFmpegError, MemoryError, UnicodeError)
EXPECTED = (VideoError, FileNotFoundError, IndexError, ValueError)


class Server:
    """Answers requests; keeps the last reader, for a clip is two requests."""

    def __init__(self, buffer: SharedBuffer) -> None:
        self._buffer = buffer
        self._video: list[Any] | None = None
        self._reader: VideoReader | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; frames, where it asks for them, lie in the buffer."""
        if request['what'] == 'open' or request['video'] != self._video:
            self._video = None
            self._reader = VideoFile(*request['video'])
            self._video = request['video']
        what = request['what']
        if what == 'open':
            return dict(fps=self._reader.fps)
        if what == 'length':
            return dict(length=len(self._reader))
        if what == 'size':
            return dict(size=self._reader.size())
        if what == 'times':
            return dict(times=self._reader.times_ms())
        frames = self._reader.get_batch(request['indices'], allocate=self._buffer.array)
        return dict(shape=frames.shape)


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    server = Server(SharedBuffer(int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold clear frames
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends this
    av.logging.set_level(av.logging.PANIC)
    connection.send_bytes(b'{}')  # ready: from here on, time counts as decoding
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return  # the parent has gone
        signal.alarm(math.ceil(request['timeout']) + GRACE)
        try:
            answer = server.answer(request)
        except EXPECTED as error:
            answer = dict(error=type(error).__name__, message=str(error))
        except UNREADABLE as error:
            answer = dict(error='VideoError', message=f'{request["video"][0]}: {error!r}')
        except Exception as error:
            answer = dict(error='RuntimeError', message=f'{request["video"][0]}: {error!r}')
        signal.alarm(0)
        connection.send_bytes(json.dumps(answer).encode())


if __name__ == '__main__':
    main()
