from __future__ import annotations

from pathlib import Path

import pytest

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.video.files import VIDEO_SUFFIXES, find_videos, is_video_name, printable, some_names


@pytest.mark.parametrize('name', ['a.MTS', 'b.3gp', 'c.d.FLV', '.hidden.mp4', 'caf\udce9.Avi'])
def test_names_of_videos(name):
    assert is_video_name(Path('dots.in.folders') / name)


@pytest.mark.parametrize('name', ['a.txt', 'mp4', 'a.mp4.txt', '._a.mp4', 'a.bdq', '.mp4'])
def test_names_of_others(name):
    assert not is_video_name(name)


def test_suffixes_are_in_lower_case_and_once():
    assert len(set(VIDEO_SUFFIXES)) == len(VIDEO_SUFFIXES) > 30
    assert all(suffix == suffix.lower() and suffix.startswith('.') for suffix in VIDEO_SUFFIXES)


def test_a_folder_with_links(tmp_path):
    for name in ('in/z/a.mp4', 'in/z/notes.txt', 'in/b.AVI', 'other/c.mts', 'in/out/d.mkv'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('')
    folder = tmp_path / 'in'
    (folder / 'link').symlink_to(tmp_path / 'other')
    (folder / 'a loop').symlink_to(folder)
    (folder / 'a copy of z').symlink_to(folder / 'z')
    (folder / 'file.mp4').symlink_to(tmp_path / 'other' / 'c.mts')
    found = find_videos(folder, skip=[folder / 'out', tmp_path / 'nowhere'])
    names = [str(path.relative_to(folder)) for path in found.videos]
    assert names == ['b.AVI', 'file.mp4', 'link/c.mts', 'z/a.mp4']
    assert found.others == [folder / 'z' / 'notes.txt'] and found.closed == []


def test_names_in_messages():
    assert some_names(['a', Path('b/c')]) == 'a, b/c'
    assert some_names(map(str, range(12))).endswith('9 and 2 more')
    assert printable('café\udce9') == 'café\\udce9' and printable('a b') == 'a b'


def test_preparation_takes_the_same_list(tmp_path):
    """A name that is no KTH name is complained of, a text is not seen at all."""
    (tmp_path / 'person99_x.3GP').write_text('')
    (tmp_path / 'notes.txt').write_text('')
    with pytest.raises(ValueError, match='person99_x'):
        prepare_kth(tmp_path, tmp_path / 'kth.csv')
