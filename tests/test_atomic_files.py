"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bdq_plugin.atomic_files import atomic_path, remove_leftovers, write_json, write_text

REPOSITORY = Path(__file__).resolve().parent.parent


def test_a_file_has_its_name_when_all_of_it_is_there(tmp_path):
    path = write_text(tmp_path / 'new' / 'a.txt', 'old')
    with atomic_path(path) as temporary:
        temporary.write_text('half')
        assert path.read_text() == 'old'
        assert temporary.name.startswith('.') and temporary.suffix == '.tmp'
        temporary.write_text('whole')
    assert path.read_text() == 'whole' and list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_json(tmp_path / 'a.json', dict(old=1))
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text('half')
        raise KeyboardInterrupt
    with pytest.raises(TypeError):
        write_json(path, dict(new=object()))
    assert path.read_text() == '{\n  "old": 1\n}\n' and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_path(tmp_path / 'a') as one, atomic_path(tmp_path / 'a') as other:
        one.write_text('one')
        other.write_text('other')
    assert (tmp_path / 'a').read_text() == 'one'


def test_leftovers_of_a_kill(tmp_path):
    write_text(tmp_path / 'epoch_1.pth', '')
    for name in ('.epoch_2.pth.0123.tmp', '.a.json.45.tmp', 'own.tmp'):
        (tmp_path / name).write_text('half')
    remove_leftovers(tmp_path, '*.pth')
    assert {p.name for p in tmp_path.iterdir()} == {'epoch_1.pth', '.a.json.45.tmp', 'own.tmp'}


def test_there_is_no_other_way():
    """A folder's partial videos keep a visible name: they may be gone on with by hand."""
    rooms = (REPOSITORY / room for room in ('bdq_plugin', 'tools', 'benchmarks'))
    files = [path for room in rooms for path in room.rglob('*.py')]
    renaming = {p.name for p in files if re.search(r'\bos\.(replace|rename)\(', p.read_text())}
    assert renaming == {'atomic_files.py', 'encode_video.py'}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
