"""The decoding process: a decoder that crashes or hangs costs the clip, not the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bdq_plugin.video import isolation
from bdq_plugin.video.container import VideoError
from bdq_plugin.video.isolation import DecodingProcess, IsolatedVideo
from bdq_plugin.video.reader import VideoFile
from bdq_plugin.video.shared_memory import SharedBuffer
from tests.test_video.videos import write_raw_video


@pytest.fixture
def clip(tmp_path) -> Path:
    write_raw_video(tmp_path / 'clip.avi', 48)
    return tmp_path / 'clip.avi'


def test_the_same_frames_as_in_this_process(clip):
    plain, isolated = VideoFile(clip), IsolatedVideo(clip)
    assert len(isolated) == len(plain) and isolated.fps == plain.fps
    for wanted in ([0, 3, 3, 1], range(6), np.array([5])):
        frames = isolated.get_batch(wanted)
        np.testing.assert_array_equal(frames, plain.get_batch(wanted))
        frames[:] = 0  # an array of our own, writable


def test_two_videos_in_turns(tmp_path):
    paths = [tmp_path / 'a.avi', tmp_path / 'b.avi']
    frames = [write_raw_video(path, 16 * i) for i, path in enumerate(paths, 1)]
    videos = [IsolatedVideo(path) for path in paths]
    for i in (0, 1, 0, 1):
        np.testing.assert_array_equal(videos[i].get_batch([2]), frames[i][[2]])


@pytest.mark.parametrize(
    ('make', 'error', 'words'),
    [
        (lambda path: IsolatedVideo(path.with_name('no.avi')), FileNotFoundError, r'no\.avi'),
        (lambda path: IsolatedVideo(path, 7), VideoError, 'it had 7 frames and has 6'),
        (lambda path: IsolatedVideo(path, 6, 'ab' * 32), VideoError, 'its bytes are others'),
        (lambda path: IsolatedVideo(path).get_batch([6]), VideoError, 'only 6 frames'),
        (lambda path: IsolatedVideo(path).get_batch([-1]), IndexError, 'negative'),
        (lambda path: IsolatedVideo(path).get_batch([]), ValueError, 'no frame'),
    ],
)
def test_errors_keep_their_type_and_the_process_lives(clip, make, error, words):
    IsolatedVideo(clip)
    process = isolation._decoder._process
    with pytest.raises(error, match=words):
        make(clip)
    assert isolation._decoder._process is process and process.poll() is None


@pytest.mark.parametrize(
    ('name', 'words'), [('crash', 'crashed .SIGSEGV'), ('abort', 'crashed .SIGABRT')]
)
def test_a_crash_is_an_error_that_names_the_file(clip, faulty_decoder, name, words):
    bad = clip.rename(clip.with_name(f'{name}.avi'))
    good = clip.with_name('good.avi')
    frames = write_raw_video(good, 64)
    with pytest.raises(VideoError, match=rf'{name}\.avi: the decoder {words}'):
        IsolatedVideo(bad).get_batch([0])
    np.testing.assert_array_equal(IsolatedVideo(good).get_batch([1]), frames[[1]])


def test_a_fault_of_the_program_is_not_a_bad_video(clip, faulty_decoder):
    with pytest.raises(RuntimeError, match=r"bug\.avi: TypeError\('a bug'\)"):
        IsolatedVideo(clip.rename(clip.with_name('bug.avi'))).get_batch([0])


def test_a_hang_ends_in_time(clip, faulty_decoder):
    bad = clip.rename(clip.with_name('hang.avi'))
    good = clip.with_name('good.avi')
    frames = write_raw_video(good, 64)
    with pytest.raises(VideoError, match=r'hang\.avi: decoding took longer than 0\.5 s'):
        IsolatedVideo(bad, timeout=0.5).get_batch([0])
    np.testing.assert_array_equal(IsolatedVideo(good).get_batch([1]), frames[[1]])


def _read_in_a_fork(path, pipe):
    pipe.send((isolation._decoder._process, IsolatedVideo(path).get_batch([0]).shape))


def test_a_forked_process_has_a_decoder_of_its_own(clip):
    IsolatedVideo(clip)
    process = isolation._decoder._process
    context = multiprocessing.get_context('fork')
    near, far = context.Pipe()
    child = context.Process(target=_read_in_a_fork, args=(clip, far))
    child.start()
    assert near.recv() == (None, (1, 64, 48, 3))
    child.join()
    assert isolation._decoder._process is process and process.poll() is None
    assert IsolatedVideo(clip).get_batch([0]).shape == (1, 64, 48, 3)


def _read_and_die(path, pipe):
    IsolatedVideo(path)
    pipe.send(isolation._decoder._process.pid)
    os.kill(os.getpid(), signal.SIGKILL)


def test_it_ends_with_the_process_it_works_for(clip):
    context = multiprocessing.get_context('fork')
    near, far = context.Pipe()
    process = context.Process(target=_read_and_die, args=(clip, far))
    process.start()
    pid = near.recv()
    process.join()
    for _ in range(1200):
        try:
            os.kill(pid, 0)
            state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == 'Z':  # it has ended; nobody has asked for its exit code
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError('the decoding process outlives its parent')


def test_threads_take_turns(clip):
    expected, results = VideoFile(clip).get_batch(range(6)), []

    def work(i):
        for _ in range(5):
            results.append(np.array_equal(IsolatedVideo(clip).get_batch([i])[0], expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def test_memory_that_is_not_there():
    buffer = SharedBuffer()
    with pytest.raises(MemoryError, match='bytes of shared memory'):
        buffer.array((2**62,))
    buffer.array((4,))[:] = 7
    assert buffer.array((2, 2)).tolist() == [[7, 7], [7, 7]]
    buffer.close()


def test_it_holds_neither_torch_nor_mmaction(clip):
    IsolatedVideo(clip)
    maps = Path(f'/proc/{isolation._decoder._process.pid}/maps')
    if maps.exists():
        assert 'libtorch' not in maps.read_text()


def test_one_that_was_killed_between_two_clips_costs_no_clip(clip):
    IsolatedVideo(clip)
    isolation._decoder._process.kill()
    isolation._decoder._process.wait()
    assert IsolatedVideo(clip).get_batch([0]).shape == (1, 64, 48, 3)


def test_one_that_cannot_start_is_not_a_bad_video(clip, tmp_path, monkeypatch):
    isolation._decoder.stop()
    monkeypatch.setattr(isolation, 'SERVER', tmp_path / 'nothing.py')
    with pytest.raises(RuntimeError, match='does not start .exit code 2'):
        IsolatedVideo(clip, 6).get_batch([0])


def test_stopping_twice_and_without_a_start(clip):
    process = DecodingProcess()
    assert process.stop() is None
    IsolatedVideo(clip)
    isolation._decoder.stop()
    assert isolation._decoder.stop() is None
    assert len(IsolatedVideo(clip)) == 6
