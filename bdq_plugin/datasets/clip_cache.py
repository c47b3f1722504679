"""Decoded clips in one block of memory, private or shared by processes."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass

import numpy as np
import torch

from ..video.reader import ArrayReader

ClipKey = tuple[str, int, int]

# Where torch's shared memory lies on Linux.
_SHARED_FOLDER = '/dev/shm'


@dataclass(frozen=True)
class _Place:
    offset: int
    shape: tuple[int, ...]
    first: int
    fps: float


class ClipCache:
    """Frames of clips, uint8, by a key of the clip.

    Forked processes read private memory without a copy of their own, too; spawned ones get a copy
    each unless it is shared.

    Args:
        clips: The clips. Each is taken out of the dict as it is copied.
        shared: Put them into shared memory.

    Raises:
        OSError: There is not that much shared memory.
    """

    def __init__(self, clips: dict[ClipKey, ArrayReader], shared: bool = False) -> None:
        self._places: dict[ClipKey, _Place] = {}
        size = 0
        for key, clip in clips.items():
            self._places[key] = _Place(size, clip.frames.shape, clip.first, clip.fps)
            size += clip.frames.size
        # Private memory is not torch's: that would go into shared memory for a spawned process.
        self._memory = _make_shared(size) if shared else np.empty(size, np.uint8)
        for key in list(clips):
            self._frames(self._places[key])[:] = clips.pop(key).frames

    def get(self, key: ClipKey) -> ArrayReader | None:
        """A reader of the clip, or None where it is not here."""
        place = self._places.get(key)
        return place and ArrayReader(self._frames(place), place.first, place.fps)

    @property
    def nbytes(self) -> int:
        """Bytes of all frames."""
        return self._memory.nbytes

    @property
    def is_shared(self) -> bool:
        """Whether the frames lie in shared memory."""
        return isinstance(self._memory, torch.Tensor)

    def _frames(self, place: _Place) -> np.ndarray:
        end = place.offset + math.prod(place.shape)
        return np.asarray(self._memory[place.offset : end]).reshape(place.shape)


def _make_shared(size: int) -> torch.Tensor:
    # Without this, a write beyond the end of /dev/shm would be a bus error.
    free = shutil.disk_usage(_SHARED_FOLDER).free if os.path.isdir(_SHARED_FOLDER) else size
    if size > free:
        raise OSError(
            f"cache='shared' needs {size / 2**20:.0f} MiB of shared memory, {_SHARED_FOLDER} has "
            f'{free / 2**20:.0f} MiB free: enlarge it (docker run --shm-size), or use cache=True '
            'with worker processes that are forked'
        )
    return torch.empty(size, dtype=torch.uint8).share_memory_()
