"""docs/own_data.md: its commands, as they stand, on a tiny folder of synthetic videos."""

from __future__ import annotations

import json
import math
import runpy
import sys

import pytest

from bdq_plugin.datasets.annotations import read_annotations
from tests.game import REPOSITORY

from .blocks import commands

PAGE = (REPOSITORY / 'docs' / 'own_data.md').read_text()
# What makes a command quick.
QUICK = {
    'make_folder.py': ['--actions', 'handwaving', 'walking', '--frames', '34'],
    'train.py': ['max_epochs=1'],
}


def test_commands(tmp_path, monkeypatch, capfd):
    for name in ('tools', 'bdq_plugin'):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    ran = []
    for python, tool, *arguments in commands('docs/own_data.md'):
        assert python == 'python'
        name = tool.rpartition('/')[2]
        if name == 'audit.py':
            continue
        more = list(QUICK.get(name, []))
        if name == 'train.py' and '--cfg-options' not in arguments:
            more.insert(0, '--cfg-options')
        arguments = [word.replace('epoch_80.pth', 'epoch_1.pth') for word in arguments]
        monkeypatch.setattr(sys, 'argv', [tool, *arguments, *more])
        capfd.readouterr()
        try:
            runpy.run_path(tool, run_name='__main__')
        except SystemExit as stop:
            assert not stop.code, (tool, stop.code, capfd.readouterr().err[-2000:])
        ran.append(name)
    assert ran == [
        'make_folder.py', 'plan_audit.py', 'prepare.py', 'train.py', 'train.py', 'train.py',
        'encode_video.py', 'recognize.py',
    ]  # fmt: skip
    answer = capfd.readouterr().out.strip().splitlines()[-1]
    assert 'handwaving' in answer or 'walking' in answer
    rows = read_annotations('data/own/annotations.csv', ('video', 'action', 'subject', 'take'))
    assert len(rows) == 2 * 3 * 3
    for run in ('bdq_own_cpu_action', 'bdq_own_cpu', 'own_encoder_action'):
        document = json.loads((tmp_path / 'work_dirs' / run / 'metrics.json').read_text())
        assert document['metrics']['action/top1'] <= 1 and document['test_clips'] == 6
    state = json.loads((tmp_path / 'work_dirs/bdq_own_cpu/encoder.json').read_text())['state']
    again = json.loads((tmp_path / 'work_dirs/own_encoder_action/encoder.json').read_text())
    assert again['state'] == state


def test_audit_is_the_command_that_is_left_out():
    (line,) = (words for words in commands('docs/own_data.md') if words[1].endswith('/audit.py'))
    assert line[2:] == [
        '--encoder', 'bdq_hard_ixmas_take3', '--data', 'data/own/annotations.csv',
        '--hold-out', 'take',
    ]  # fmt: skip


def test_widths_of_intervals(monkeypatch, capsys):
    (words,) = (
        words for words in commands('docs/own_data.md') if words[1].endswith('plan_audit.py')
    )
    monkeypatch.setattr(sys, 'argv', words[1:])
    runpy.run_path(str(REPOSITORY / words[1]), run_name='__main__')
    table = capsys.readouterr().out
    assert table in PAGE
    # Twenty people of 12 clips: Student's t of 19 degrees, 2.093.
    half = 209.3 * math.sqrt((0.25**2 + 0.25 / 12) / 20)
    assert f'| 20 | 18 | {half:.0f} | 12 |' in table
    monkeypatch.setattr(sys, 'argv', [*words[1:], '--rate', '100'])
    with pytest.raises(SystemExit, match='error: --rate is between 0 and 100'):
        runpy.run_path(str(REPOSITORY / words[1]), run_name='__main__')
