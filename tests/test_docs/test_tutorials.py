"""docs/tutorials.md: its commands in their order, with tiny parameters."""

from __future__ import annotations

import runpy
import sys

import numpy as np
import pytest
import torch

from bdq_plugin.deploy import PackedReader
from bdq_plugin.encoders import load_encoder
from bdq_plugin.video.source import VideoSource
from tests.game import REPOSITORY
from tests.ixmas_data import make_ixmas

from .blocks import commands

COMMANDS = {words[1].rpartition('/')[2]: words[1:] for words in commands('docs/tutorials.md')}


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """The project's folder, with the videos that the page's first commands make."""
    folder = tmp_path_factory.mktemp('home')
    for name in ('tools', 'docs', 'bdq_plugin'):
        (folder / name).symlink_to(REPOSITORY / name)
    with pytest.MonkeyPatch.context() as patch:
        run(patch, folder, 'make_folder.py', '--actions', 'handwaving', 'walking', '--frames', '20')
        run(patch, folder, 'prepare.py')
    return folder


def run(patch, folder, name, *more):
    """The page's command of this name, and what makes it quick."""
    tool, *arguments = COMMANDS[name]
    patch.chdir(folder)
    patch.setattr(sys, 'argv', [tool, *arguments, *more])
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as stop:
        assert not stop.code, (tool, stop.code)


def test_the_commands_are_these():
    assert list(COMMANDS) == [
        'make_folder.py', 'prepare.py', 'encode_clip.py', 'train_ixmas.py', 'audit_encoder.py',
    ]  # fmt: skip


def test_encode_a_clip(home, monkeypatch, capsys):
    run(monkeypatch, home, 'encode_clip.py', '--encoder', 'bdq_hard_ixmas_take3')
    _, video, out = COMMANDS['encode_clip.py']
    codes = np.stack(list(PackedReader(home / out)))
    with VideoSource(home / video) as source:
        frames = np.stack([frame.pixels for frame in source])
    clip = torch.from_numpy(frames).permute(3, 0, 1, 2)[None]
    expected = load_encoder('bdq_hard_ixmas_take3').codes(clip)[0].permute(1, 2, 3, 0)
    assert (codes == expected.numpy()).all()
    assert f'{len(codes)} frames of codes' in capsys.readouterr().out


def test_train_on_ixmas(home, monkeypatch, capsys):
    make_ixmas(home / 'data' / 'ixmas', frames=16, cameras=1)
    run(monkeypatch, home, 'train_ixmas.py', '--max-epochs', '1')
    said = capsys.readouterr().out
    assert 'action: ' in said and 'no evidence of privacy' in said
    for name in ('game', 'action', 'privacy'):
        assert (home / 'work_dirs/train_ixmas' / name / 'metrics.json').is_file()
    encoders = [
        load_encoder(home / f'work_dirs/train_ixmas/{name}/encoder.json').state_dict()
        for name in ('game', 'privacy')
    ]
    assert all((encoders[0][key] == value).all() for key, value in encoders[1].items())


def test_audit_your_encoder(home, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(REPOSITORY / 'docs' / 'examples'))
    panel = str(REPOSITORY / 'docs/examples/own_attacker_panel.py')
    run(monkeypatch, home, 'audit_encoder.py', '--panel', panel)
    table = capsys.readouterr().out
    assert '| pass_through | soft | 1 x 1 |' in table
    assert '| bdq_hard_ixmas_take3 | hard | 1 x 1 |' in table
