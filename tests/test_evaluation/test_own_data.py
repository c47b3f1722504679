"""From an annotation file of one's own to a verdict in words."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.evaluation.own_data import own_data
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.verdict import verdict

from ..audit_data import made_result


def write_video(path: Path, frames: np.ndarray) -> None:
    """Write uint8 RGB frames (T, H, W, 3)."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.height, stream.width = frames.shape[1:3]
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(stream.encode())


def test_settings_come_from_the_videos(synthetic_kth, tmp_path: Path) -> None:
    annotation = tmp_path / 'My clips.csv'
    shutil.copy(synthetic_kth.annotation, annotation)
    with pytest.raises(FileNotFoundError, match='--data-root'):
        own_data(str(annotation))
    (tmp_path / 'videos').symlink_to(synthetic_kth.root / 'videos')
    data = own_data(str(annotation))
    assert data == own_data(str(annotation), str(tmp_path / 'videos'))
    assert data.name == 'my_clips' and len(data.mean) == 1  # KTH has no colour
    (resize,) = (step for step in data.dataset['pipeline'] if step['type'] == 'Resize')
    assert resize['scale'] == (64, 48) and data.sampling.kind == 'consecutive'


@pytest.fixture
def own(synthetic_own, tmp_path: Path):
    """A folder of own videos that a test may change, and its annotation."""
    root = shutil.copytree(synthetic_own.root, tmp_path / 'videos')
    annotation = tmp_path / 'Vidéos (1).csv'
    shutil.copy(synthetic_own.annotation, annotation)
    return root, annotation


def steps(data, kind: str) -> list[dict]:
    return [step for step in data.dataset['pipeline'] if step['type'] == kind]


def test_a_first_video_unlike_the_others_decides_nothing(own) -> None:
    root, annotation = own
    first = root / 'handwaving' / 'anna_1.mp4'
    # Portrait, and without colour: black at first, as many a video begins.
    write_video(first, np.zeros((20, 64, 48, 3), np.uint8))
    data = own_data(str(annotation))
    assert steps(data, 'Resize')[0]['scale'] == (64, 48)
    assert len(data.mean) == 3 and not steps(data, 'ToGray')
    assert data.name == 'vid_os__1'


def test_a_video_that_begins_in_black_has_colour(own) -> None:
    root, annotation = own
    frames = np.zeros((20, 48, 64, 3), np.uint8)
    frames[5:, :, :, 0] = 200
    for path in root.rglob('*.mp4'):
        write_video(path, frames)
    assert len(own_data(str(annotation)).mean) == 3


def test_other_clips_under_the_same_name_are_other_data(own) -> None:
    _, annotation = own
    before = own_data(str(annotation)).identity()
    assert own_data(str(annotation)).identity() == before
    lines = annotation.read_text().splitlines()
    annotation.write_text('\n'.join(lines[:-1]))
    assert own_data(str(annotation)).identity() != before


def test_the_verdict_says_what_is_missing() -> None:
    code = made_result(10, controls=dict(length=6, permuted=3))
    clear = made_result(20)
    clear['cell'] = dict(clear['cell'], encoder='pass_through')
    row = next(row for row in pool([clear, code]) if row.encoder == 'bdq')
    text = verdict(row, people=5, units=3)
    assert 'witnesses: frame' in text and 'in 50% (' in text and 'chance is 20%' in text
    assert text.startswith('A demonstration, not a measurement: there are 5 people.')
    assert '10 people or more; three seeds' in text
    assert 'Without looking at the person: the length of a clip alone names 30%.' in text
    assert 'demonstration' not in verdict(row, people=10, units=3) and 'other days' not in text
    assert 'clips of other days' in verdict(row, people=10, units=3, same_sessions=True)
    assert 'clear video: not measured' in verdict(pool([code])[0], 5, 3)
    weak = replace(row, networks={k: replace(v, control=0.5) for k, v in row.networks.items()})
    assert 'no evidence of privacy' in verdict(weak, 5, 3)
