"""Training that goes wrong: each fault provoked in a real run, each policy, and no false alarm."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from bdq_plugin.encoders import PRESETS, build_encoder
from bdq_plugin.engine.guards import (
    AttackerGuard,
    DeadEncoderGuard,
    LossGuard,
    ThresholdGuard,
    TrainingFault,
    is_finite,
)
from bdq_plugin.engine.launch import build_runner
from bdq_plugin.engine.loops import unwrap

from ..game import game_config

# Every guard, and its name in configs/_base_/default_runtime.py.
ALL = dict(
    LossGuard='loss_guard',
    ThresholdGuard='threshold_guard',
    DeadEncoderGuard='dead_encoder_guard',
    AttackerGuard='attacker_guard',
)


@HOOKS.register_module(force=True)
class Saboteur(Hook):
    """Calls ``function(runner)`` before iteration ``at``."""

    def __init__(self, function, at):
        self.function, self.at = function, at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            self.function(runner)


def play(synthetic_kth, work_dir, *guards, recipe=False, sabotage=None, at=0, **options):
    """A game of three iterations an epoch, sabotaged before iteration ``at``.

    It has these guards alone, or with ``recipe`` also those that every recipe has.
    """
    cfg = game_config(synthetic_kth, work_dir, **options)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.visualizer.vis_backends = []
    cfg.train_dataloader.batch_size = 4
    cfg.train_dataloader.dataset.indices = 12
    if not recipe:
        for name in ALL.values():
            del cfg.default_hooks[name]
    cfg.custom_hooks += guards
    runner = build_runner(cfg)
    if sabotage:
        runner.register_hook(Saboteur(sabotage, at))
    runner.train()
    return runner


def poison(runner):
    """The next action step has a NaN loss."""
    recognizer = unwrap(runner.model).recognizer
    original = recognizer.forward

    def once(*args, **kwargs):
        recognizer.forward = original
        losses = original(*args, **kwargs)
        return {key: value * math.nan for key, value in losses.items()}

    recognizer.forward = once


def poison_for_good(runner):
    """Every action step from here on has a NaN loss."""
    recognizer = unwrap(runner.model).recognizer
    original = recognizer.forward
    recognizer.forward = lambda *args, **kwargs: {
        key: value * math.nan for key, value in original(*args, **kwargs).items()
    }


def state_of(runner):
    return unwrap(runner.model).state_dict()


def saved(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.fixture
def warned(monkeypatch):
    """Warnings of the run's logger."""
    messages = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning', lambda self, message, *args: messages.append(message)
    )
    return messages


@pytest.fixture(scope='module')
def plain(synthetic_kth, tmp_path_factory):
    """A run without guards, two epochs."""
    return play(synthetic_kth, tmp_path_factory.mktemp('plain'), max_epochs=2)


def test_a_healthy_run_is_bit_for_bit_the_same(synthetic_kth, tmp_path, plain, warned):
    options = {'max_epochs': 2, 'default_hooks.dead_encoder_guard.interval': 1}
    guarded = state_of(play(synthetic_kth, tmp_path, recipe=True, **options))
    assert all(torch.equal(value, guarded[key]) for key, value in state_of(plain).items())
    assert not [message for message in warned if 'at epoch' in message]


RATE = 'optim_wrapper.action.optimizer.lr'


@pytest.mark.parametrize(
    ('guard', 'options', 'message'),
    [
        # The first step spoils the weights, the second loss shows it.
        (
            dict(type='LossGuard', policy='stop'),
            {RATE: 1e30},
            r'NaN or Inf in a loss at epoch 1, iteration 2: .*action/loss',
        ),
        (dict(type='LossGuard', policy='skip'), {RATE: 1e30}, 'The weights hold it too'),
        (
            dict(type='ThresholdGuard', policy='stop'),
            {RATE: 1e3},
            r'Collapsed thresholds.*[0-2] of 15 are distinct',
        ),
        # All motion is smaller than a level, and the middle one stands for none.
        (
            dict(type='DeadEncoderGuard', interval=1, patience=2),
            {'encoder.preset': 'bdq_hard', 'encoder.num_levels': 15, 'encoder.range_limit': 50.0},
            'Dead encoder at epoch 1, iteration 2: its output is constant in 2 looks',
        ),
        (
            dict(type='AttackerGuard', patience=1, policy='stop'),
            {'optim_wrapper.privacy.optimizer.lr': 0.0},
            'Attacker that does not learn at epoch 1',
        ),
    ],
    ids=['loss', 'loss and weights', 'thresholds', 'dead encoder', 'attacker'],
)
def test_what_a_recipe_with_bad_numbers_comes_to(synthetic_kth, tmp_path, guard, options, message):
    with pytest.raises(TrainingFault, match=message):
        play(synthetic_kth, tmp_path, guard, **options)
    assert not list(tmp_path.glob('*.pth'))


class TestRecipes:
    def test_all_are_on(self, synthetic_kth, tmp_path):
        hooks = game_config(synthetic_kth, tmp_path).default_hooks
        assert {hooks[name].type: name for name in hooks if name.endswith('_guard')} == ALL

    def test_a_fault_is_met(self, synthetic_kth, tmp_path, warned):
        runner = play(synthetic_kth, tmp_path, recipe=True, sabotage=poison, at=4, max_epochs=2)
        assert is_finite(state_of(runner).values())
        assert any('Went back to' in message for message in warned)

    def test_each_can_be_turned_off_by_name(self, synthetic_kth, tmp_path):
        off = {f'default_hooks.{name}.policy': 'off' for name in ALL.values()}
        runner = play(synthetic_kth, tmp_path, recipe=True, sabotage=poison, at=1, **off)
        # Lost, without any of them.
        assert not is_finite(state_of(runner).values())


class TestLossGuard:
    def test_between_two_lines_of_the_log(self, synthetic_kth, tmp_path, warned):
        """The first bad iteration is named, and undone before a checkpoint holds it."""
        options = {'max_epochs': 3, 'default_hooks.logger.interval': 100}
        options['default_hooks.checkpoint.max_keep_ckpts'] = 3
        guard = dict(type='LossGuard', policy='rollback')
        runner = play(synthetic_kth, tmp_path, guard, sabotage=poison, at=4, **options)
        assert is_finite(state_of(runner).values())
        assert all(is_finite(saved(path).values()) for path in tmp_path.glob('epoch_*.pth'))
        (message,) = (m for m in warned if 'Went back to' in m)
        assert 'epoch 2, iteration 5: action/loss' in message and 'epoch_1.pth' in message

    def test_skip_leaves_the_step_out(self, synthetic_kth, tmp_path, warned):
        guard = dict(type='LossGuard', policy='skip')
        runner = play(synthetic_kth, tmp_path, guard, sabotage=poison, at=1)
        assert is_finite(state_of(runner).values())
        assert runner.iter == 3
        assert any('iteration 2' in m and 'Left this step out' in m for m in warned)

    def test_skip_ends_after_max_times(self, synthetic_kth, tmp_path):
        guard = dict(type='LossGuard', policy='skip', max_times=2)
        with pytest.raises(TrainingFault, match='iteration 3: .* skip has been tried 2 times'):
            play(synthetic_kth, tmp_path, guard, sabotage=poison_for_good)

    def test_rollback_goes_back_to_the_last_epoch_and_on(
        self, synthetic_kth, tmp_path, warned, plain
    ):
        guard = dict(type='LossGuard', policy='rollback')
        seen = {}

        def look(runner):
            poison(runner)
            runner.register_hook(Saboteur(lambda r: seen.update(clone(state_of(r))), 5))

        runner = play(synthetic_kth, tmp_path, guard, sabotage=look, at=4, max_epochs=2)
        before = saved(tmp_path / 'epoch_1.pth')
        assert all(torch.equal(seen[key], before[key]) for key in before)
        after = state_of(runner)
        assert is_finite(after.values())
        assert any(not torch.equal(after[key], before[key]) for key in before)
        assert any('Went back to' in m and 'epoch_1.pth' in m for m in warned)
        assert runner.optim_wrapper.get_lr() == plain.optim_wrapper.get_lr()

    def test_rollback_does_not_take_an_older_runs_weights(self, synthetic_kth, tmp_path):
        play(synthetic_kth, tmp_path)
        with pytest.raises(TrainingFault, match='No good checkpoint to go back to'):
            play(synthetic_kth, tmp_path, dict(type='LossGuard'), sabotage=poison, at=1)

    def test_inf_in_a_gradient_alone(self, synthetic_kth, tmp_path, warned):
        def explode(runner):
            parameter = next(unwrap(runner.model).recognizer.parameters()).requires_grad_()
            handle = parameter.register_hook(
                lambda grad: (handle.remove(), torch.full_like(grad, math.inf))[1]
            )

        guard = dict(type='LossGuard', policy='skip')
        runner = play(synthetic_kth, tmp_path, guard, sabotage=explode, at=1)
        assert is_finite(state_of(runner).values())
        assert any('a gradient' in message for message in warned)


def clone(state):
    return {key: value.clone() for key, value in state.items()}


class TestThresholdGuard:
    @pytest.fixture
    def look(self, monkeypatch):
        """What the guard says of an encoder."""
        guard = ThresholdGuard(policy='stop')

        def look(encoder):
            found = lambda runner: encoder  # noqa: E731
            monkeypatch.setattr('bdq_plugin.engine.guards.encoder.find_encoder', found)
            guard.after_train_epoch(SimpleNamespace(epoch=0, iter=2))

        return look

    @pytest.mark.parametrize('place', [0.0, 7.5, 15.0])
    def test_run_together_or_to_an_end(self, look, place):
        encoder = build_encoder('bdq')
        encoder.quantize.thresholds.data[:] = place
        with pytest.raises(TrainingFault, match=r'Collapsed thresholds.*[01] of 15'):
            look(encoder)

    @pytest.mark.parametrize('preset', PRESETS)
    def test_no_preset_begins_collapsed(self, look, preset):
        look(build_encoder(preset))


class TestDeadEncoderGuard:
    def test_looks_in_a_row_and_warn_goes_on(self, synthetic_kth, tmp_path, warned):
        def die(runner):
            encoder = unwrap(runner.model).data_preprocessor.encoder
            encoder.encode = lambda clip: 0 * encoder.motion(clip)

        guard = dict(type='DeadEncoderGuard', interval=1, patience=2, policy='warn')
        runner = play(synthetic_kth, tmp_path, guard, sabotage=die, at=1)
        assert runner.iter == 3
        (message,) = [text for text in warned if 'Dead encoder' in text]
        assert 'epoch 1, iteration 3' in message


class TestAttackerGuard:
    def test_fooled_after_it_has_learned_is_no_fault(self, synthetic_kth, tmp_path):
        guard = dict(type='AttackerGuard', patience=1, policy='stop')

        def learned(runner):
            runner.message_hub.update_info('AttackerGuard/best', 0.1)

        lr = {'optim_wrapper.privacy.optimizer.lr': 0.0}
        play(synthetic_kth, tmp_path, guard, sabotage=learned, **lr)

    def test_attributes(self, synthetic_kth, tmp_path, warned):
        """Its chance is what who knows only how frequent they are would reach."""
        lines = synthetic_kth.annotation.read_text().splitlines()
        table = [f'{lines[0]},tall', *(f'{line},{int("box" in line)}' for line in lines[1:])]
        (tmp_path / 'kth.csv').write_text('\n'.join(table))
        options = {
            'ann_file': str(tmp_path / 'kth.csv'),
            'train_dataloader.dataset.privacy': ['tall'],
            'model.privacy.cls_head.attributes': True,
            'model.privacy.cls_head.num_classes': 1,
            'optim_wrapper.privacy.optimizer.lr': 0.0,
        }
        guard = dict(type='AttackerGuard', patience=1)
        dataset = play(synthetic_kth, tmp_path / 'run', guard, **options).train_dataloader.dataset
        tall = sum(dataset.get_data_info(i)['attributes'].item() for i in range(12)) / 12
        assert 0 < tall < 0.5
        chance = -tall * math.log(tall) - (1 - tall) * math.log(1 - tall)
        assert any(f'that of chance {chance:.3f}' in message for message in warned)

    def test_an_attacker_that_it_cannot_judge(self, synthetic_kth, tmp_path, warned):
        def rename(runner):
            for network in unwrap(runner.model).privacy:
                head, original = network.cls_head, network.cls_head.loss_by_feat
                head.loss_by_feat = lambda *args, f=original: dict(
                    loss_own=f(*args)['loss_subject']
                )

        play(synthetic_kth, tmp_path, dict(type='AttackerGuard', patience=1), sabotage=rename)
        assert any('nobody sees whether they learn' in message for message in warned)


class TestPolicies:
    @pytest.mark.parametrize(
        ('guard', 'policy'),
        [
            (LossGuard, 'warn'),
            (ThresholdGuard, 'skip'),
            (DeadEncoderGuard, 'skip'),
            (AttackerGuard, 'rollback'),
        ],
    )
    def test_unknown_policy(self, guard, policy):
        with pytest.raises(ValueError, match=f'{guard.__name__}: policy is one of stop'):
            guard(policy=policy)

    @pytest.mark.parametrize(
        'build',
        [
            lambda: LossGuard(max_times=0),
            lambda: ThresholdGuard(min_share=2),
            lambda: ThresholdGuard(min_gap=0),
            lambda: DeadEncoderGuard(interval=0),
            lambda: AttackerGuard(patience=0),
        ],
    )
    def test_bad_arguments(self, build):
        with pytest.raises(ValueError, match='Guard: '):
            build()
