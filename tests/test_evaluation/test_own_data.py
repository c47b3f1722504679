"""From an annotation file of one's own to a verdict in words."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bdq_plugin.evaluation.own_data import own_data
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.verdict import verdict

from ..audit_data import made_result


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


def test_the_verdict_says_what_is_missing() -> None:
    code = made_result(10)
    clear = made_result(20)
    clear['cell'] = dict(clear['cell'], encoder='pass_through')
    row = next(row for row in pool([clear, code]) if row.encoder == 'bdq')
    text = verdict(row, people=5, units=3)
    assert 'witnesses: frame' in text and 'in 50% (' in text and 'chance is 20%' in text
    assert 'more people (5 make this a demonstration' in text and 'three seeds' in text
    assert 'clear video: not measured' in verdict(pool([code])[0], 5, 3)
    weak = replace(row, networks={k: replace(v, control=0.5) for k, v in row.networks.items()})
    assert 'no evidence of privacy' in verdict(weak, 5, 3)
