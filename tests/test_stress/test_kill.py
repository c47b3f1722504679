"""The stress tools notice what they are there for; and a few real kills."""

import random
import re
import sys

import pytest

from ..game import REPOSITORY

STRESS = REPOSITORY / 'tools' / 'stress'

# A writer stands still in the middle of its work until it is killed, however busy the machine is.
# It begins with the step that it stands in: a file of an earlier one could be seen, and be gone by
# the time of the kill.
WRITER = """
import os, sys
path, stands = sys.argv[1], int(sys.argv[2])
for step in range(max(stands, 0), 4):
    {begin}
    while step == stands:
        pass
    {end}
"""
RENAMED = (
    "mine = f'{path}.{os.getpid()}.tmp'; open(mine, 'w').write('half whole')",
    'os.replace(mine, path)',
)
IN_PLACE = (
    "file = open(path, 'w'); file.write('half'); file.flush()",
    "file.write(' whole'); file.close()",
)
FORGETFUL = ("open(path, 'a').write('half whole')", 'pass')


class Moments(random.Random):
    """Kills while a file is being written, by turns with kills after half a second of work."""

    def __init__(self):
        super().__init__(0)
        self.turn = 0

    def random(self):
        self.turn += 1
        return self.turn % 2

    def uniform(self, low, high):
        return 0.5


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
        def __init__(self, write, kills):
            self.root, self.kills, self.starts = tmp_path, kills, 0
            begin, end = write
            self.temporary = '*.tmp' if 'tmp' in begin else None
            (tmp_path / 'writer.py').write_text(WRITER.format(begin=begin, end=end))

        def commands(self, folder):
            folder.mkdir(exist_ok=True)
            # The first start shows what there must be in the end; the last one is not killed.
            stands = self.starts % 4 if 0 < self.starts <= self.kills else -1
            self.starts += 1
            return [[str(tmp_path / 'writer.py'), str(folder / 'out.txt'), str(stands)]]

        def product(self, folder):
            return (folder / 'out.txt').read_text()

        def faults(self, folder, whole):
            path = folder / 'out.txt'
            return ['half'] if path.exists() and path.read_text() not in (whole, '') else []

    return Writer


def test_a_sound_tool_loses_nothing(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(RENAMED, 4), 4, Moments())
    found = [result[name] for name in ('kills', 'kills_while_writing', 'runs', 'lost')]
    assert found == [4, 4, 1, 0] and result['half_written'] == 0


def test_a_file_that_is_written_in_place_is_noticed(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(IN_PLACE, 2), 2, Moments())
    assert (result['half_written'], result['lost']) == (2, 0)


def test_a_run_that_does_not_begin_anew_is_noticed(stress, writer_of):
    result = stress[0].kill_repeatedly(writer_of(FORGETFUL, 2), 2, Moments())
    assert (result['half_written'], result['lost']) == (2, 1)


def test_a_tool_that_fails_by_itself_is_lost(stress, writer_of):
    kill, _ = stress
    job = writer_of(RENAMED, 0)
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
