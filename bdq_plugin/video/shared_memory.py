"""Memory that two processes share, as large as it must be."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Sequence

import numpy as np


class SharedBuffer:
    """A nameless file in memory that its owner and a child map; either may make it larger.

    Args:
        handle: File descriptor that was inherited; a new file where it is None.
    """

    def __init__(self, handle: int | None = None) -> None:
        self._handle = _open_nameless() if handle is None else handle
        self._memory: mmap.mmap | None = None

    def fileno(self) -> int:
        """The file descriptor, for a child to inherit."""
        return self._handle

    def array(self, shape: Sequence[int]) -> np.ndarray:
        """The beginning of the buffer, as an array of uint8. It is valid until the next call.

        Raises:
            MemoryError: there is no room for so large an array.
        """
        size = math.prod(shape)
        if self._memory is None or len(self._memory) < size:
            try:
                if os.fstat(self._handle).st_size < size:
                    os.ftruncate(self._handle, size)
                self._memory = mmap.mmap(self._handle, size)
            except (OSError, OverflowError) as error:
                raise MemoryError(f'{size} bytes of shared memory ({error})') from error
        return np.frombuffer(self._memory, np.uint8, size).reshape(shape)

    def close(self) -> None:
        """Let go of the file; arrays that are in use keep the memory."""
        self._memory = None
        os.close(self._handle)


def _open_nameless() -> int:
    if hasattr(os, 'memfd_create'):
        return os.memfd_create('bdq_frames')
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
