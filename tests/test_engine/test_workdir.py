"""One run in a work directory; the lock goes with the process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from bdq_plugin.engine.launch import train
from bdq_plugin.engine.workdir import LOCK_FILE, WorkDirInUse, claim_work_dir

from ..game import game_config

# Another process that holds the folder, without the seconds that importing the package takes.
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], 'a+')
fcntl.flock(file, fcntl.LOCK_EX)
print('held by another run', file=file, flush=True)
print('ready', flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path / LOCK_FILE)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'ready\n'
    yield process
    process.kill()
    process.wait()


def test_refused_while_another_holds_it_and_free_when_that_is_killed(tmp_path, holder):
    refused = pytest.raises(WorkDirInUse, match='held by another run.*--work-dir')
    with refused, claim_work_dir(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with claim_work_dir(tmp_path):
        assert f'process {os.getpid()} on ' in (tmp_path / LOCK_FILE).read_text()


def test_train_is_refused_before_it_touches_anything(synthetic_kth, tmp_path, holder):
    with pytest.raises(WorkDirInUse):
        train(game_config(synthetic_kth, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_released_at_the_end_and_after_an_error(tmp_path):
    refused = pytest.raises(WorkDirInUse, match=f'process {os.getpid()}')
    with pytest.raises(KeyError), claim_work_dir(tmp_path / 'new'):
        with refused, claim_work_dir(tmp_path / 'new'):
            pass
        raise KeyError
    with claim_work_dir(tmp_path / 'new'):
        pass


def test_two_folders(tmp_path):
    with claim_work_dir(tmp_path / 'a'), claim_work_dir(tmp_path / 'b'):
        pass


def worker_of(pipe):
    pipe.send(os.getpid())
    time.sleep(600)


def run_with_worker(folder, pipe):
    """A run with a worker that does not notice its parent's death."""
    with claim_work_dir(folder):
        context = multiprocessing.get_context('fork')
        context.Process(target=worker_of, args=(pipe,)).start()
        time.sleep(600)


def test_a_worker_that_outlives_a_killed_run_does_not_hold_it(tmp_path):
    context = multiprocessing.get_context('fork')
    near, far = context.Pipe()
    run = context.Process(target=run_with_worker, args=(tmp_path, far))
    run.start()
    try:
        assert near.poll(120)
        worker = near.recv()
        run.kill()
        run.join()
        with claim_work_dir(tmp_path):
            os.kill(worker, signal.SIGKILL)  # an error if it were dead already
    finally:
        run.kill()
        run.join()


@pytest.mark.parametrize(
    ('launcher', 'variable'),
    [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')],
)
def test_only_rank_0_takes_it(tmp_path, monkeypatch, launcher, variable):
    monkeypatch.setenv(variable, '1')
    with claim_work_dir(tmp_path), claim_work_dir(tmp_path, launcher):
        pass
    monkeypatch.setenv(variable, '0')
    refused = pytest.raises(WorkDirInUse)
    with claim_work_dir(tmp_path), refused, claim_work_dir(tmp_path, launcher):
        pass
