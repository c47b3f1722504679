"""Checkpoints are whole or not there; a damaged one is never resumed from."""

import logging
import os

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import get_file_backend

from bdq_plugin.engine.checkpoints import (
    checkpoints_of,
    choose_checkpoint,
    continue_after_restart,
    damage_of,
)
from bdq_plugin.engine.launch import build_runner
from bdq_plugin.engine.workdir import LOCK_FILE, claim_work_dir

from ..game import game_config


def save(folder, epoch, last=True):
    path = folder / f'epoch_{epoch}.pth'
    torch.save(dict(state_dict=dict(w=torch.arange(1000.0)), meta=dict(epoch=epoch)), path)
    if last:
        (folder / 'last_checkpoint').write_text(str(path))
    return path


def truncate(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def chosen(folder, **changes):
    cfg = Config(dict(resume=True, load_from=None, work_dir=str(folder), **changes))
    choose_checkpoint(cfg)
    return cfg.load_from


@pytest.fixture
def warnings_of(monkeypatch):
    """What was logged, as text; MMEngine's logger does not propagate to pytest's."""
    messages = []
    monkeypatch.setattr(
        'bdq_plugin.engine.checkpoints.print_log',
        lambda message, logger=None, level=logging.INFO: messages.append((level, message)),
    )
    return messages


class TestBackend:
    def test_writes_bytes_and_text(self, tmp_path):
        backend = get_file_backend(backend_args=dict(backend='atomic'))
        backend.put(b'abc', tmp_path / 'new' / 'a.pth')
        backend.put_text('déf', str(tmp_path / 'new' / 'b.txt'))
        assert (tmp_path / 'new' / 'a.pth').read_bytes() == b'abc'
        assert backend.get_text(str(tmp_path / 'new' / 'b.txt')) == 'déf'
        assert len(list((tmp_path / 'new').iterdir())) == 2

    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        backend = get_file_backend(backend_args=dict(backend='atomic'))
        backend.put(b'old', tmp_path / 'a.pth')

        def full_disk(descriptor):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr('os.fsync', full_disk)
        with pytest.raises(OSError, match='No space'):
            backend.put(b'new and longer', tmp_path / 'a.pth')
        assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
        assert (tmp_path / 'a.pth').read_bytes() == b'old'

    def test_leftovers_of_a_killed_run_are_removed_and_nothing_else(self, tmp_path):
        save(tmp_path, 1)
        (tmp_path / '.epoch_2.pth.0123.tmp').write_bytes(b'half')
        with claim_work_dir(tmp_path):
            left = {path.name for path in tmp_path.iterdir()}
        assert left == {'epoch_1.pth', 'last_checkpoint', LOCK_FILE}


class TestDamage:
    def test_whole(self, tmp_path):
        assert damage_of(save(tmp_path, 1)) is None

    @pytest.mark.parametrize('share', [0, 0.01, 0.5, 0.999])
    def test_truncated(self, tmp_path, share):
        path = save(tmp_path, 1)
        truncate(path, share)
        assert damage_of(path)

    def test_missing(self, tmp_path):
        assert damage_of(tmp_path / 'epoch_1.pth')

    def test_a_flipped_bit_is_found_or_changes_nothing(self, tmp_path):
        path = save(tmp_path, 1)
        whole = path.read_bytes()
        random = np.random.default_rng(0)
        found = 0
        for place in random.integers(0, len(whole), 200):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(random.integers(8))
            path.write_bytes(damaged)
            if damage_of(path):
                found += 1
                continue
            # Padding, times and the like; the weights must be what they were.
            loaded = torch.load(path, weights_only=True)
            assert torch.equal(loaded['state_dict']['w'], torch.arange(1000.0)), place
            assert loaded['meta'] == dict(epoch=1)
        assert found > 100


class TestChoice:
    def test_last(self, tmp_path, warnings_of):
        save(tmp_path, 1)
        path = save(tmp_path, 2)
        assert chosen(tmp_path) == str(path)
        assert not warnings_of

    def test_the_one_before_a_damaged_one_with_a_warning(self, tmp_path, warnings_of):
        before = save(tmp_path, 1)
        truncate(save(tmp_path, 2))
        assert chosen(tmp_path) == str(before)
        ((level, message),) = warnings_of
        assert level == logging.WARNING
        assert 'epoch_2.pth is damaged' in message

    def test_an_older_run_in_the_folder_is_not_newer(self, tmp_path):
        save(tmp_path, 50)
        path = save(tmp_path, 1)
        assert [p.name for p in checkpoints_of(tmp_path)] == ['epoch_1.pth', 'epoch_50.pth']
        assert chosen(tmp_path) == str(path)

    @pytest.mark.parametrize('text', ['', 'work_di', '\udcff'])
    def test_half_a_name_in_last_checkpoint(self, tmp_path, text):
        path = save(tmp_path, 3)
        (tmp_path / 'last_checkpoint').write_bytes(text.encode('utf-8', 'surrogateescape'))
        assert chosen(tmp_path) == str(path)

    def test_a_moved_folder(self, tmp_path):
        save(tmp_path, 1)
        save(tmp_path, 2, last=False)
        (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_1.pth')
        assert chosen(tmp_path) == str(tmp_path / 'epoch_1.pth')

    def test_none_yet(self, tmp_path):
        assert chosen(tmp_path) is None

    def test_all_damaged(self, tmp_path):
        truncate(save(tmp_path, 1))
        with pytest.raises(ValueError, match='all 1 checkpoints .* remove them'):
            chosen(tmp_path)

    def test_a_damaged_one_that_was_asked_for_is_not_replaced(self, tmp_path):
        save(tmp_path, 1)
        path = save(tmp_path, 2)
        truncate(path)
        cfg = Config(dict(resume=True, load_from=str(path), work_dir=str(tmp_path)))
        with pytest.raises(ValueError, match='epoch_2.pth is damaged'):
            choose_checkpoint(cfg)

    def test_no_resume_no_look(self, tmp_path):
        truncate(save(tmp_path, 1))
        cfg = Config(dict(resume=False, load_from=None, work_dir=str(tmp_path)))
        choose_checkpoint(cfg)
        assert cfg.load_from is None


class TestRestart:
    """torchrun says how often it has started a run again; the real thing is in tools/stress."""

    @pytest.fixture
    def start(self, tmp_path, monkeypatch):
        def start(count, rank=0, **changes):
            if count is not None:
                monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', str(count))
            monkeypatch.setenv('RANK', str(rank))
            cfg = Config(dict(resume=False, load_from=None, work_dir=str(tmp_path), **changes))
            continue_after_restart(cfg)
            return cfg.resume, cfg.load_from

        return start

    def test_goes_on_from_the_last_whole_checkpoint_of_its_own(self, tmp_path, start):
        save(tmp_path, 7)
        os.utime(tmp_path / 'epoch_7.pth', (1, 1))
        assert start(0) == (False, None)
        path = save(tmp_path, 1)
        truncate(save(tmp_path, 2))
        assert start(1) == start(1, rank=1) == (True, str(path))
        assert start(2) == (True, str(path))

    def test_begins_as_at_first_where_it_has_written_none(self, tmp_path, start):
        save(tmp_path, 7)
        os.utime(tmp_path / 'epoch_7.pth', (1, 1))
        assert start(0) == start(1) == (False, None)

    def test_without_torchrun_nothing_is_written(self, tmp_path, start):
        assert start(None) == (False, None)
        assert not list(tmp_path.iterdir())


def test_resume_from_the_one_before_equals_uninterrupted(synthetic_kth, tmp_path):
    """The last of three checkpoints is cut short; the run ends with the same weights."""

    def config(resume=False):
        cfg = game_config(synthetic_kth, tmp_path, max_epochs=3)
        cfg.default_hooks.checkpoint.backend_args = dict(backend='atomic')
        cfg.resume = resume
        return cfg

    build_runner(config()).train()
    last = tmp_path / 'epoch_3.pth'
    whole = torch.load(last, weights_only=False)['state_dict']
    assert not list(tmp_path.glob('.*.tmp'))
    truncate(last)
    runner = build_runner(config(resume=True))
    assert runner._load_from == str(tmp_path / 'epoch_2.pth')
    runner.train()
    again = torch.load(last, weights_only=False)['state_dict']
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[key], again[key]) for key in whole)
