"""A resumed run whose length, batch or number of processes has changed follows its own config."""

import json
import os
from pathlib import Path

import pytest
import torch

from bdq_plugin.engine.launch import build_runner

from ..game import game_config, interrupt
from ..processes import fork
from ..toy_run import LR, rates_of, toy_config

WARM_UP = [
    dict(type='LinearLR', start_factor=0.1, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, by_epoch=True, convert_to_iter_based=True),
]


def finish(cfg):
    runner = build_runner(cfg)
    runner.train()
    return runner


@pytest.fixture
def said(monkeypatch):
    """Warnings of the run's logger."""
    messages = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning', lambda self, message, *args: messages.append(message)
    )
    return messages


@pytest.mark.parametrize(
    ('before', 'after', 'words'),
    [
        (dict(epochs=4), dict(epochs=8), '8 epochs (were 4)'),
        (dict(epochs=8), dict(epochs=5), '5 epochs (were 8)'),
        (dict(batch=4), dict(batch=2), '12 iterations an epoch (were 6)'),
        (dict(batch=4), dict(batch=8), '3 iterations an epoch (were 6)'),
        (dict(batch=4, epochs=4), dict(batch=12, epochs=6), '6 epochs (were 4), 2 iterations'),
        (dict(), {'optim_wrapper.optimizer.lr': LR / 2}, 'another schedule'),
        (dict(epochs=6), dict(epochs=6, param_scheduler=WARM_UP), 'another schedule'),
        (
            dict(epochs=8, param_scheduler=WARM_UP),
            dict(epochs=6, param_scheduler=WARM_UP),
            '6 epochs (were 8)',
        ),
        (
            {'param_scheduler': [dict(type='MultiStepLR', milestones=[2, 5])]},
            {'param_scheduler': [dict(type='MultiStepLR', milestones=[1, 3])]},
            'another schedule',
        ),
    ],
)
def test_it_goes_on_as_if_it_had_been_so_from_the_start(tmp_path, said, before, after, words):
    interrupt(toy_config(tmp_path / 'run', **before), 3)
    expected = rates_of(finish(toy_config(tmp_path / 'whole', **after)))
    runner = finish(toy_config(tmp_path / 'run', resume=True, **after))
    found = rates_of(runner)
    assert found == pytest.approx(expected[-len(found) :], abs=1e-12)
    assert len(found) == (runner.max_epochs - 3) * len(runner.train_dataloader)
    assert runner.iter == runner.max_iters
    (message,) = (text for text in said if 'resumed at epoch 4' in text)
    assert words in message and f'goes on at lr {found[0]:.3g}' in message


def test_without_the_hook_it_would_train_on_at_the_smallest_rate(tmp_path):
    """What MMEngine alone does."""
    hooks = {'default_hooks.resume_schedule': dict(type='IterTimerHook')}
    finish(toy_config(tmp_path, epochs=4, **hooks))
    found = rates_of(finish(toy_config(tmp_path, epochs=8, resume=True, **hooks)))
    assert max(found) < 0.02 * LR


def test_scaled_rates_are_those_of_todays_batch(tmp_path):
    scaled = dict(auto_scale_lr=dict(enable=True, base_batch_size=4))
    interrupt(toy_config(tmp_path / 'run', batch=4, **scaled), 2)
    found = rates_of(finish(toy_config(tmp_path / 'run', batch=8, resume=True, **scaled)))
    expected = rates_of(finish(toy_config(tmp_path / 'whole', batch=8, **scaled)))
    assert expected[0] == pytest.approx(2 * LR)
    assert found == pytest.approx(expected[6:], abs=1e-12)


def test_unchanged_it_is_bit_for_bit_the_same(tmp_path, said):
    schedules = dict(param_scheduler=[*WARM_UP, dict(type='MultiStepLR', milestones=[3])])
    whole = finish(toy_config(tmp_path / 'whole', **schedules))
    interrupt(toy_config(tmp_path / 'run', **schedules), 3)
    runner = finish(toy_config(tmp_path / 'run', resume=True, **schedules))
    assert rates_of(runner) == rates_of(whole)[18:]
    assert not [text for text in said if 'resumed at epoch' in text]


def test_from_a_checkpoint_within_an_epoch(tmp_path):
    by_iteration = {'default_hooks.checkpoint.by_epoch': False}
    by_iteration['default_hooks.checkpoint.interval'] = 9
    interrupt(toy_config(tmp_path / 'run', epochs=4, **by_iteration), 2)
    cfg = toy_config(tmp_path / 'run', epochs=8, resume=True, **by_iteration)
    found = rates_of(finish(cfg))
    expected = rates_of(finish(toy_config(tmp_path / 'whole', epochs=8)))
    assert found[0] == pytest.approx(expected[9])


def test_an_end_before_the_checkpoint(tmp_path):
    interrupt(toy_config(tmp_path, epochs=6), 4)
    with pytest.raises(ValueError, match='is of epoch 4, this training ends at epoch 3'):
        finish(toy_config(tmp_path, epochs=3, resume=True))


def test_both_optimisers_of_a_game(synthetic_kth, tmp_path, said):
    """Half way along the cosine of four epochs, each phase is at half its rate."""
    interrupt(game_config(synthetic_kth, tmp_path, max_epochs=2), 1)
    cfg = game_config(synthetic_kth, tmp_path, max_epochs=4)
    cfg.resume = True
    interrupt(cfg, 2)
    optimizer = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['optimizer']
    for phase in ('action', 'privacy'):
        for group in optimizer[phase]['param_groups']:
            assert group['lr'] == pytest.approx(group['initial_lr'] / 2)
        assert any(f'{phase}.lr' in text for text in said if 'resumed at epoch 2' in text)


def test_another_number_of_processes(tmp_path):
    """Two need half the iterations; their rates are those of a batch of twice the size."""
    interrupt(toy_config(tmp_path / 'run'), 3)
    done = fork(resume, tmp_path / 'run', ranks=2)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = rates_of(finish(toy_config(tmp_path / 'whole', batch=8)))
    assert len(found) == 3 and found == pytest.approx(expected[9:], abs=1e-12)


def resume(folder: Path) -> None:
    """What torchrun starts."""
    rates = rates_of(finish(toy_config(folder, launcher='pytorch', resume=True)))
    if os.environ['RANK'] == '0':
        print(json.dumps(rates))
