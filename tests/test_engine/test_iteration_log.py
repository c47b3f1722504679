"""The host waits for the device no more often than the log is printed."""

import sys
from collections import Counter

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils._python_dispatch import TorchDispatchMode

from bdq_plugin.engine.iteration_log import IterationLog
from bdq_plugin.engine.launch import build_runner, load_config

from ..game import REPOSITORY, game_config, game_options

# What MMAction2's networks look at themselves, such as a head's accuracy, is theirs; ours also draw
# numbers on the host, for which nobody waits.
OURS = (
    '/bdq_plugin/engine/',
    '/bdq_plugin/models/privacy_head',
    '/bdq_plugin/models/losses',
    '/mmengine/hooks/',
    '/mmengine/logging/',
    '/mmengine/runner/',
)


class Looks(TorchDispatchMode):
    """Counts by iteration where a value of a tensor becomes a number of Python."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.counts, self.now, self.places = Counter(), None, []
        for name in ('tolist', 'numpy', 'cpu'):
            method = getattr(torch.Tensor, name)
            monkeypatch.setattr(torch.Tensor, name, self.counting(method))

    def counting(self, method):
        def look(tensor, *args, **kwargs):
            self.count()
            return method(tensor, *args, **kwargs)

        return look

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # What item(), float(), int(), bool() and `if` come down to.
        if 'local_scalar_dense' in str(function):
            self.count()
        return function(*args, **(kwargs or {}))

    def count(self):
        frame = sys._getframe(2)
        while '/torch/' in frame.f_code.co_filename or frame.f_code.co_filename == __file__:
            frame = frame.f_back
        place = f'{frame.f_code.co_filename}:{frame.f_lineno}'
        if self.now is not None and any(part in place for part in OURS):
            self.counts[self.now] += 1
            self.places.append((self.now, place))


class Clock(Hook):
    """Tells the count which iteration it is, once the batch has been checked on the host."""

    priority = 'VERY_HIGH'

    def __init__(self, looks):
        self.looks = looks

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.looks.now = runner.iter


class Stop(Hook):
    """After all hooks that an iteration has; what comes after an epoch is not counted."""

    priority = 100

    def __init__(self, looks):
        self.looks = looks

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.looks.now = None


def counted(cfg, monkeypatch):
    runner, looks = build_runner(cfg), Looks(monkeypatch)
    runner.register_hook(Clock(looks))
    runner.register_hook(Stop(looks))
    with looks:
        runner.train()
    return runner, looks


# Eight iterations of an epoch, and no validation.
BATCH = {
    'train_dataloader.batch_size': 1,
    'train_dataloader.dataset.indices': 8,
    **dict.fromkeys(('val_cfg', 'val_dataloader', 'val_evaluator')),
}


def test_a_game_looks_once_where_the_log_is_printed(synthetic_kth, tmp_path, monkeypatch):
    options = {**BATCH, 'default_hooks.logger.interval': 3, 'max_epochs': 2}
    options['default_hooks.dead_encoder_guard.interval'] = 1
    runner, looks = counted(game_config(synthetic_kth, tmp_path, **options), monkeypatch)
    assert runner.iter == 16
    # Every third of an epoch, and its last.
    assert looks.counts == Counter([2, 5, 7, 10, 13, 15]), looks.places


def test_a_retraining_too(synthetic_kth, tmp_path, monkeypatch):
    options = game_options(synthetic_kth, **BATCH, **{'default_hooks.logger.interval': 4})
    options.pop('model.privacy.cls_head.num_classes')
    options.update({'model.cls_head.num_classes': 3, 'encoder_file': 'bdq_ixmas_take3'})
    path = str(REPOSITORY / 'configs' / 'bdq_demo_privacy.py')
    cfg = load_config(path, options=options, work_dir=str(tmp_path))
    _, looks = counted(cfg, monkeypatch)
    assert looks.counts == Counter([3, 7]), looks.places


def test_the_log_of_every_iteration_is_whole(synthetic_kth, tmp_path):
    """What is read late is what would have been read at once."""
    history = {}
    for name, hook in (('late', 'DeferredInfoHook'), ('at once', 'RuntimeInfoHook')):
        options = {**BATCH, 'default_hooks.logger.interval': 5}
        options['default_hooks.runtime_info.type'] = hook
        runner = build_runner(game_config(synthetic_kth, tmp_path / name, **options))
        runner.train()
        scalars = runner.message_hub.log_scalars
        history[name] = {k: v.data[0].tolist() for k, v in scalars.items() if 'time' not in k}
    assert history['late'] == history['at once']
    assert len(history['late']['train/action/loss']) == 8
    assert len(history['late']['train/encoder/sigma']) == 2


@pytest.mark.parametrize('by', ['epoch', 'iterations'])
def test_a_checkpoint_holds_the_log_up_to_itself(synthetic_kth, tmp_path, by):
    options = {**BATCH, 'default_hooks.logger.interval': 100}
    if by == 'iterations':
        changes = dict(by_epoch=False, interval=3, max_keep_ckpts=3)
        options.update({f'default_hooks.checkpoint.{k}': v for k, v in changes.items()})
    build_runner(game_config(synthetic_kth, tmp_path, **options)).train()
    names = dict(epoch={'epoch_1': 8}, iterations={'iter_3': 3, 'iter_6': 6})[by]
    for name, length in names.items():
        hub = torch.load(tmp_path / f'{name}.pth', weights_only=False)['message_hub']
        assert len(hub['log_scalars']['train/action/loss'].data[0]) == length


def test_rows():
    """Tensors, numbers and notes come back under their names, in the order of the iterations."""

    class Run:
        iter, max_iters, hooks, train_dataloader = 0, 100, (), range(3)

    run, log = Run(), IterationLog()
    for run.iter in range(3):
        log.note('n', torch.tensor(1.0))
        log.note('n', torch.tensor(2.0 * run.iter))
        outputs = dict(a=torch.tensor(0.5 + run.iter, dtype=torch.bfloat16), b=run.iter)
        rows = log.rows(run, run.iter, outputs)
        assert rows is log.rows(run, run.iter, outputs)
        assert bool(rows) == (run.iter == 2)
    assert [tuple(row) for row in rows] == [
        (i, dict(a=0.5 + i, b=float(i)), dict(n=1.0 + 2 * i)) for i in range(3)
    ]
