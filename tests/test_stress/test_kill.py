"""The stress tools notice what they are there for; and a few real kills."""

import random
import re
import sys

import pytest

from ..game import REPOSITORY

STRESS = REPOSITORY / 'tools' / 'stress'

WRITER = """
import os, sys, time
path = sys.argv[1]
for step in range(10):
    {write}
    sum(range(500_000))  # kills count processor time
"""
IN_PLACE = "file = open(path, 'w'); file.write('half'); file.flush(); sum(range(500_000)); file.write(' whole'); file.close()"  # noqa: E501
RENAMED = "open(path + '.tmp', 'w').write('half whole'); sum(range(500_000)); os.replace(path + '.tmp', path)"  # noqa: E501
FORGETFUL = "open(path, 'a').write('half whole')"


@pytest.fixture(scope='module')
def stress():
    sys.path.insert(0, str(STRESS))
    try:
        import jobs
        import kill

        yield kill, jobs
    finally:
        sys.path.remove(str(STRESS))


@pytest.fixture
def writer_of(stress, tmp_path):
    """A job that writes one file again and again."""
    _, jobs = stress

    class Writer(jobs.Job):
        temporary = '*.tmp'

        def __init__(self, write):
            self.root = tmp_path
            (tmp_path / 'writer.py').write_text(WRITER.format(write=write))

        def commands(self, folder):
            folder.mkdir(exist_ok=True)
            return [[str(tmp_path / 'writer.py'), str(folder / 'out.txt')]]

        def product(self, folder):
            return (folder / 'out.txt').read_text()

        def faults(self, folder, whole):
            path = folder / 'out.txt'
            return ['half'] if path.exists() and path.read_text() not in (whole, '') else []

    return Writer


def test_a_sound_tool_loses_nothing(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(RENAMED), 8, random.Random(0))
    assert (result['kills'], result['lost'], result['half_written']) == (8, 0, 0)
    assert result['kills_while_writing'] > 0


def test_a_file_that_is_written_in_place_is_noticed(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(IN_PLACE), 12, random.Random(0))
    assert result['half_written'] > 0


def test_a_run_that_does_not_begin_anew_is_noticed(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(FORGETFUL), 4, random.Random(0))
    assert result['lost'] > 0


def test_a_tool_that_fails_by_itself_is_lost(stress, writer_of):
    kill, _ = stress
    job = writer_of(RENAMED)
    assert kill.play(job, job.root / 'whole', None, False)[0]
    (job.root / 'writer.py').write_text("raise ValueError('mine')")
    assert kill.play(job, job.root / 'run', None, False) == (None, {})
    assert 'ValueError: mine' in kill.tail(job.root / 'run')


def test_equals_is_exact(stress):
    import numpy as np
    import torch

    equals = stress[1].equals
    a = dict(x=[torch.ones(2), np.ones(3)], y=1)
    assert equals(a, dict(x=[torch.ones(2), np.ones(3)], y=1))
    assert not equals(a, dict(x=[torch.ones(2) + 1e-7, np.ones(3)], y=1))
    assert not equals(a, dict(x=[torch.ones(2).double(), np.ones(3)], y=1))
    assert not equals(a, dict(x=[torch.ones(2)], y=1))


def test_a_file_of_codes_that_breaks_off_stands_so_far(stress, tmp_path):
    """The encoding job, once, cut short by hand."""
    _, jobs = stress
    job = jobs.Encoding(tmp_path)
    assert stress[0].play(job, tmp_path / 'whole', None, False)[0]
    whole = job.product(tmp_path / 'whole')
    frames = len(whole['out.bdq']['codes'])
    assert frames == len(whole['out.mkv']['codes']) > 300
    (tmp_path / 'cut').mkdir()
    stood = []
    for tenth in (0, 3, 9):
        for name in whole:
            data = whole[name]['bytes']
            (tmp_path / 'cut' / name).write_bytes(data[: len(data) * tenth // 10])
        assert job.faults(tmp_path / 'cut', whole) == []
        stood.append(len(jobs.standing(tmp_path / 'cut' / 'out.bdq')))
    assert stood[0] == 0
    assert frames * 0.7 < stood[-1] < frames


def test_every_figure_of_the_page_has_a_command():
    page = (REPOSITORY / 'docs' / 'reliability.md').read_text()
    for name, _ in set(re.findall(r'<!-- stress:(\w+)\.(\w+) -->', page)):
        tool = name.removeprefix('kill_') if name.startswith('kill_') else f'{name}.py'
        assert re.search(rf'`python tools/stress/(kill\.py )?{tool}\b', page), name
