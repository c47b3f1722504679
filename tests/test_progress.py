"""Progress: a bar on a terminal, rare lines elsewhere, both with rate and time left."""

import io
import os
import subprocess
import sys
from itertools import pairwise

import pytest

from bdq_plugin import progress as module
from bdq_plugin.progress import Progress, duration_text, follow_training, rate_text, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move."""
    now = [100.0]
    monkeypatch.setattr(module.time, 'monotonic', lambda: now[0])
    return now


def test_a_bar_is_drawn_over_and_left_in_place(clock):
    terminal = Terminal()
    with Progress('clip', 100, 'frames', terminal) as progress:
        clock[0] += 6
        progress.update(25, '1.00 Mbit/s leave')
        clock[0] += 0.1
        progress.update(26)  # too soon
    shown = (
        'clip: [######                  ]  25% 25/100 frames, 4.2/s, 18 s left, 1.00 Mbit/s leave'
    )
    assert terminal.getvalue() == f'\r{shown[:79]}\033[K\n'


def test_lines_are_rare_and_become_rarer(clock):
    file = io.StringIO()
    progress = Progress('camera', unit='frames', file=file)
    for second in range(1, 3601):
        clock[0] += 1
        progress.update(5 * second)
    progress.finish()
    lines = file.getvalue().splitlines()
    assert lines[0] == 'camera: 25 frames, 5.0/s'
    counts = [int(line.split()[1]) // 5 for line in lines]
    gaps = [later - earlier for earlier, later in pairwise(counts)]
    assert gaps == sorted(gaps) and (gaps[0], gaps[-1]) == (5, 60)


def test_a_job_that_goes_on_is_timed_from_there(clock):
    file = io.StringIO()
    progress = Progress('training', 40, 'epochs', file, already=30)
    clock[0] += 10
    progress.update(32)
    assert file.getvalue() == 'training: 32/40 epochs, 5 s each, 40 s left\n'


def test_every_item_comes_through(capsys, monkeypatch):
    assert list(track('abc', 'reading')) == ['a', 'b', 'c']
    assert list(track([], 'reading')) == []
    assert capsys.readouterr().err == ''  # over before the first line
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    assert list(track('abc', 'reading', 'files')) == ['a', 'b', 'c']
    shown = capsys.readouterr().err
    assert '100% 3/3 files' in shown and shown.endswith('\033[K\n')


def test_the_bar_ends_its_line_where_a_job_fails(clock):
    terminal = Terminal()
    with pytest.raises(KeyError), Progress('job', 2, file=terminal) as progress:
        clock[0] += 1
        progress.update(1)
        raise KeyError
    assert terminal.getvalue().endswith('\n')


def test_words():
    assert [rate_text(rate) for rate in (123.4, 2.34, 0.02)] == ['123/s', '2.3/s', '50 s each']
    assert duration_text(59.4) == '59 s' and duration_text(59.6) == '1 min 0 s'
    assert [duration_text(s) for s in (6000, 200000)] == ['1 h 40 min', '2 d 7 h']


def test_a_training_in_another_process_is_followed(tmp_path, monkeypatch):
    line = '11/24 12:46:53 - mmengine - INFO - Epoch(train)  [3][10/20]  lr: 1e-03  eta: 0:00:51  '
    script = f'import sys; print({line!r} + "time: 0.4"); print("noise"); sys.exit(3)'
    terminal = Terminal()
    monkeypatch.setattr('sys.stderr', terminal)
    status = follow_training([sys.executable, '-c', script], tmp_path / 'log', 'training bdq')
    assert status == 3
    assert (tmp_path / 'log').read_text() == f'{line}time: 0.4\nnoise\n'
    shown = terminal.getvalue()
    assert shown.startswith('\rtraining bdq: 2.5 epochs') and '0:00:51 left' in shown


def test_a_camera_can_show_progress_without_torch_and_mmengine():
    """The deploy part is installed alone."""
    script = (
        'import sys\n'
        'sys.modules.update(dict.fromkeys(("torch", "mmengine", "numpy")))\n'
        'import importlib.util\n'
        'spec = importlib.util.spec_from_file_location("progress", sys.argv[1])\n'
        'spec.loader.exec_module(importlib.util.module_from_spec(spec))\n'
    )
    env = dict(os.environ, PYTHONPATH='')
    subprocess.run([sys.executable, '-c', script, module.__file__], check=True, env=env)
