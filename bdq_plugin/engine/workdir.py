"""One run in a work directory at a time."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic_files import remove_leftovers

LOCK_FILE = '.lock'
# Where each launcher of MMEngine says which process this is, before the process group exists.
_RANK = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
_held: set[int] = set()


class WorkDirInUse(RuntimeError):
    """Another run writes into this work directory."""


@contextmanager
def claim_work_dir(work_dir: str | os.PathLike, launcher: str = 'none') -> Iterator[None]:
    """Hold a work directory; a second run is refused until this one ends, however it ends.

    The lock is the kernel's (``flock`` on ``.lock``): it goes with the process, SIGKILL included,
    and no file has to be removed by hand. Of several processes of one run, rank 0 takes it.

    Args:
        work_dir: the folder; made where it is missing.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Raises:
        WorkDirInUse: another run holds it; the message says which.
    """
    if int(os.environ.get(_RANK.get(launcher, ''), 0)) != 0:
        yield
        return
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK_FILE, 'a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or 'another process'
            raise WorkDirInUse(
                f'{folder} is in use by {holder}: two runs would overwrite each other; wait for '
                'it to end, or set another --work-dir'
            ) from None
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
        _held.add(file.fileno())
        try:
            remove_leftovers(folder, '*.pth')
            yield
        finally:
            _held.discard(file.fileno())
            # Also for a worker that was forked a moment ago and has not let go yet.
            fcntl.flock(file, fcntl.LOCK_UN)


def _leave_locks() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


# Workers of a data loader are forked and outlive a killed parent by seconds: with the parent's
# descriptor they would hold its lock, and the run that resumes at once would be refused.
os.register_at_fork(after_in_child=_leave_locks)
