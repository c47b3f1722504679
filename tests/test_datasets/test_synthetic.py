"""The synthetic KTH: its format, its determinism, and that people and actions differ."""

from __future__ import annotations

import numpy as np
import pytest

from bdq_plugin.datasets.annotations import read_annotations
from bdq_plugin.datasets.kth import KTH_COLUMNS, read_kth_index
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.video.reader import open_video

SMALL = dict(subjects=1, scenarios=1, frames_per_sequence=4, size=(48, 32))


def test_format_is_that_of_kth(synthetic_kth):
    entries = read_kth_index(synthetic_kth.root / '00sequences.txt')
    videos = sorted(path.name for path in (synthetic_kth.root / 'videos').iterdir())
    assert videos == sorted(f'{entry.name.stem}_uncomp.avi' for entry in entries)
    assert len(entries) == 3 * 6 * 2
    assert entries[0].ranges == ((0, 36), (36, 72), (72, 108), (108, 144))
    index = (synthetic_kth.root / '00sequences.txt').read_bytes()
    assert index.startswith(b'person01_boxing_d1\t\tframes\t1-36, 37-72, 73-108, 109-144\r\n')


def test_prepared_annotation_is_complete(synthetic_kth):
    rows = read_annotations(synthetic_kth.annotation, KTH_COLUMNS)
    assert len(rows) == 3 * 6 * 2 * 4
    assert {row['num_frames'] for row in rows} == {144}


def test_same_seed_same_bytes(tmp_path):
    first, second = (make_kth(tmp_path / name, **SMALL) for name in 'ab')
    other = make_kth(tmp_path / 'c', **SMALL, seed=1)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(first, other, strict=True))


def test_people_differ_in_a_frame_and_actions_in_motion(synthetic_kth):
    def clip(person, action, scenario):
        name = f'person{person:02d}_{action}_d{scenario}_uncomp.avi'
        frames = open_video(synthetic_kth.root / 'videos' / name).get_batch(range(36))
        return frames[..., 0].astype(float)

    def motion(frames):
        return np.abs(np.diff(frames, axis=0)).mean()

    darkest = [np.quantile(clip(person, 'boxing', 1)[0], 0.01) for person in (1, 2, 3)]
    assert max(darkest) - min(darkest) > 10
    speeds = [motion(clip(1, action, 1)) for action in ('walking', 'jogging', 'running')]
    assert speeds == sorted(speeds)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(subjects=26), 'subjects must be 1 to 25'),
        (dict(scenarios=0), 'scenarios must be 1 to 4'),
        (dict(frames_per_sequence=0), 'frames_per_sequence'),
        (dict(size=(47, 32)), 'even width and height'),
    ],
)
def test_wrong_arguments(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        make_kth(tmp_path, **{**SMALL, **changes})


def test_no_overwrite(tmp_path):
    make_kth(tmp_path, **SMALL)
    with pytest.raises(FileExistsError, match=r'00sequences\.txt'):
        make_kth(tmp_path, **SMALL)
