"""Processes of a distributed run that die or hang: named by the others, in bounded time."""

import multiprocessing
import os
import signal
import time

import pytest
import torch
import torch.distributed as torch_dist

from bdq_plugin.engine.lost_ranks import LostRankError, name_lost_ranks, set_timeout

from ..processes import free_port

# Seconds; a busy machine must not look like a hanging one.
TIMEOUT, GRACE = 5, 3


def member(rank, size, port, ready, answer):
    """A process of a group that reduces gradients again and again."""
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    try:
        with name_lost_ranks(grace=GRACE):
            torch_dist.init_process_group('gloo')
            model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 3))
            for step in range(10_000):
                model(torch.ones(2, 3)).sum().backward()
                if step == 3:
                    set_timeout(TIMEOUT)
                    ready.release()
                time.sleep(0.01)
    except LostRankError as error:
        answer.put(str(error))


@pytest.mark.parametrize(
    ('size', 'lost', 'fate'),
    [
        pytest.param(2, 1, signal.SIGKILL, id='one-of-two-dies'),
        pytest.param(2, 1, signal.SIGSTOP, id='one-of-two-hangs'),
        pytest.param(4, 1, signal.SIGKILL, id='one-of-four-dies'),
        pytest.param(4, 0, signal.SIGSTOP, id='the-keeper-of-the-store-hangs'),
    ],
)
def test_the_rank_that_is_lost_is_named_in_time(size, lost, fate):
    """Without torchrun, which would stop the survivors before they could speak."""
    port = free_port()
    # Forked, for the package takes seconds to import.
    context = multiprocessing.get_context('fork')
    ready, answer = context.Semaphore(0), context.Queue()
    members = [
        context.Process(target=member, args=(rank, size, port, ready, answer))
        for rank in range(size)
    ]
    try:
        for each in members:
            each.start()
        assert all(ready.acquire(timeout=120) for _ in members)
        os.kill(members[lost].pid, fate)
        deadline = time.monotonic() + TIMEOUT + GRACE + 30
        for _ in range(size - 1):
            message = answer.get(timeout=max(0, deadline - time.monotonic()))
            assert message.startswith(f'rank {lost} of {size} processes died or hangs, rank ')
        for rank, each in enumerate(members):
            if rank != lost:
                each.join(60)
                assert each.exitcode == 0
    finally:
        for each in members:
            each.kill()
            each.join()


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match='mine'), name_lost_ranks():
        raise RuntimeError('mine')
