"""A process of a distributed run that dies or hangs: the others stop in bounded time and name it.

gloo says that a peer has closed its connection, or that it has waited too long, not who is missing.
Whoever sees that calls the roll in the store through which the processes found each other, and
leaves the verdict there. In every process a thread answers: of four processes not everybody notices
a death at once, and those that wait for somebody who is well would be taken for dead themselves.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch.distributed as torch_dist
from mmengine.dist import get_rank, get_world_size

# Seconds between two looks of a process that is well at the roll.
_LOOK_EVERY = 0.5


class LostRankError(RuntimeError):
    """A process of a distributed run died or hangs; the message names it."""


def set_timeout(seconds: float | None) -> None:
    """Bound how long a process waits for the others, once the process group exists.

    Args:
        seconds: ``env_cfg.dist_cfg.timeout``; None keeps PyTorch's (30 minutes with gloo).
    """
    if seconds is not None:
        torch_dist.group.WORLD.set_timeout(timedelta(seconds=seconds))


@contextmanager
def name_lost_ranks(launcher: str = 'pytorch', grace: float = 10.0) -> Iterator[None]:
    """Turn a failed collective into an error that names the processes behind it.

    Args:
        launcher: ``'none'`` for a single process, which loses nobody.
        grace: seconds within which a process that is well answers.

    Raises:
        LostRankError: a collective has failed, and processes do not answer or, where it has waited
            too long, do not take part in it.
    """
    if launcher == 'none':
        yield
        return
    roll = _Roll()
    try:
        yield
    except RuntimeError as error:
        is_collective = isinstance(error, torch_dist.DistError) or 'gloo' in str(error).lower()
        if not torch_dist.is_initialized() or not is_collective:
            raise
        lost = roll.call(grace, timed_out='timed out' in str(error).lower())
        if not lost:
            raise
        first = str(error).strip().splitlines()[0]
        raise LostRankError(
            f'rank {", ".join(map(str, lost))} of {get_world_size()} processes died or hangs, rank '
            f'{get_rank()} stops; --resume continues from the last checkpoint ({first})'
        ) from error
    finally:
        roll.close()


class _Roll:
    """The roll of all processes, kept in their store; a thread answers for this one."""

    def __init__(self) -> None:
        self._verdict: list[int] | None = None
        self._over = threading.Event()
        _in_thread(self._answer)

    def close(self) -> None:
        """Answer no longer."""
        self._over.set()

    def call(self, grace: float, timed_out: bool) -> list[int]:
        """Ask who is there, where nobody has done so before.

        Args:
            grace: seconds to wait for the answers.
            timed_out: the collective waited too long: whoever answers but has not come to it hangs.
                Where a connection broke, they merely do not know of it yet.

        Returns:
            The ranks that are lost.
        """
        if self._verdict is None:
            # Rank 0 keeps the store: where that does not answer, it is lost. In a thread, since a
            # store whose keeper hangs never returns.
            self._lost = [0]
            _in_thread(lambda: self._ask(grace, timed_out)).join(grace + 1)
        if get_rank() == 0:
            time.sleep(3 * _LOOK_EVERY)  # the store goes with us: the others must have read it
        return self._lost if self._verdict is None else self._verdict

    def _ask(self, grace: float, timed_out: bool) -> None:
        store, rank, size = _store(), get_rank(), get_world_size()
        store.set(f'stops/{rank}', '')
        store.set('called', '')
        silent = busy = list(range(size))
        deadline = time.monotonic() + grace
        while busy and time.monotonic() < deadline and not store.check(['lost']):
            busy = [other for other in busy if not store.check([f'stops/{other}'])]
            silent = [other for other in silent if not store.check([f'here/{other}'])]
            self._lost = [other for other in silent if other in busy]
            time.sleep(0.1)
        if store.check(['lost']):
            self._verdict = json.loads(store.get('lost'))
            return
        if timed_out and not self._lost:
            self._lost = busy
        if self._lost:
            store.set('lost', json.dumps(self._lost))

    def _answer(self) -> None:
        store = None
        while not self._over.wait(_LOOK_EVERY):
            if store is None and torch_dist.is_initialized():
                store = _store()
            if store is None or not store.check(['called']):
                continue
            store.set(f'here/{get_rank()}', '')
            if store.check(['lost']):
                self._verdict = json.loads(store.get('lost'))
                return


def _store() -> torch_dist.Store:
    shared = torch_dist.distributed_c10d._get_default_store()
    # torchrun may hand the store of one attempt to the next.
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    return torch_dist.PrefixStore(f'bdq_plugin/roll/{attempt}', shared)


def _in_thread(use_store: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        # A store whose keeper has gone raises: what is known by then stands.
        with suppress(RuntimeError):
            use_store()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
