"""The game as a Runner plays it: logs, files, resume, restarts, hardness, range."""

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import Runner

from bdq_plugin.encoders import load_encoder
from bdq_plugin.engine.launch import build_runner, load_config, train
from bdq_plugin.engine.loops import play, unwrap
from bdq_plugin.engine.optim import PhaseOptimWrapperConstructor

from ..game import REPOSITORY, game_config, interrupt
from ..test_models.test_adversarial_recognizer import config as game_of_models
from ..test_models.test_adversarial_recognizer import data as clips


def run(cfg) -> Runner:
    runner = build_runner(cfg)
    runner.train()
    return runner


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=False)['state_dict']


def logged(work_dir: Path) -> list[dict]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_runs_of_one_second_have_logs_of_their_own(synthetic_kth, tmp_path):
    """MMEngine would give both one logger, and the second a folder without a log."""
    runners = [build_runner(game_config(synthetic_kth, tmp_path / name)) for name in 'ab']
    first, second = (runner.message_hub for runner in runners)
    assert first is not second and first.instance_name != second.instance_name
    for name in 'ab':
        assert len(list((tmp_path / name).glob('*/*.log'))) == 1


class TestTraining:
    @pytest.fixture(scope='class')
    def finished(self, synthetic_kth, tmp_path_factory):
        work_dir = tmp_path_factory.mktemp('game')
        metrics = train(game_config(synthetic_kth, work_dir))
        return work_dir, metrics

    def test_log_has_losses_entropy_sigma_range_and_all_thresholds(self, finished):
        entry = next(e for e in logged(finished[0]) if 'action/loss' in e)
        expected = {
            'action/loss', 'action/loss_cls', 'action/loss_entropy', 'action/privacy_entropy',
            'privacy/loss', 'privacy/loss_subject', 'encoder/sigma', 'encoder/range_low',
            'encoder/range_high', *(f'encoder/threshold_{k:02d}' for k in range(1, 16)),
        }  # fmt: skip
        assert expected <= set(entry)
        assert entry['encoder/range_low'] < 0 < entry['encoder/range_high']

    def test_console_has_them_too(self, finished):
        (log,) = finished[0].glob('*/*.log')
        line = next(x for x in log.read_text().splitlines() if 'Epoch(train)' in x)
        for key in ('action/loss', 'privacy/loss', 'encoder/sigma', 'encoder/threshold_15'):
            assert f'{key}: ' in line

    def test_tensorboard_has_them_too(self, finished):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        (folder,) = finished[0].glob('*/vis_data')
        events = EventAccumulator(str(folder)).Reload()
        tags = events.Tags()['scalars']
        assert {'encoder/sigma', 'encoder/threshold_01', 'action/privacy_entropy'} <= set(tags)
        assert len(events.Scalars('encoder/sigma')) == 3

    def test_encoder_has_moved_and_is_written(self, finished):
        encoder = load_encoder(finished[0] / 'encoder.json')
        saved = weights(finished[0] / 'epoch_1.pth')
        sigma = saved['data_preprocessor.encoder.blur.log_sigma']
        assert encoder.blur.log_sigma.item() == pytest.approx(sigma.item())
        assert abs(sigma.item()) > 1e-6

    def test_metrics_are_written_with_what_made_them(self, finished):
        document = json.loads((finished[0] / 'metrics.json').read_text())
        assert document['metrics'] == pytest.approx(finished[1])
        assert {'action/top1', 'privacy/frame_top1', 'privacy/vote_top1', 'privacy/chance'} <= set(
            document['metrics']
        )
        assert document['metrics']['privacy/chance'] == pytest.approx(1 / 3)
        assert (document['protocol'], document['seed'], document['epochs']) == ('subsequence', 3, 1)


PHASES = (('action', 1), ('privacy', 3))


def built(**options):
    """A game on noise, without a Runner, and its optimisers."""
    torch.manual_seed(0)
    model = MODELS.build(game_of_models(**options)).train()
    sgd = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
    return model, PhaseOptimWrapperConstructor(dict(action=dict(sgd), privacy=dict(sgd)))(model)


@pytest.mark.parametrize('encoder', ['bdq', 'bdq_hard', 'bdq_released'])
def test_staging_the_batch_changes_no_weight(encoder):
    """Nor does encoding it once for all privacy steps, while the encoder rests."""
    grey = dict(
        type='BDQDataPreprocessor',
        encoder=encoder,
        mean=[128.0],
        std=[51.0],
        format_shape='NCTHW',
    )
    staged, wrappers = built(data_preprocessor=grey)
    plain, plain_wrappers = built(data_preprocessor=grey)
    for seed in range(3):
        torch.manual_seed(seed)
        logs = play(staged, clips(), PHASES, wrappers)
        torch.manual_seed(seed)
        for name, steps in PHASES:
            plain.set_phase(name)
            for _ in range(steps):
                expected = plain.train_step(clips(), plain_wrappers[name])
        assert torch.equal(logs['privacy/loss'], expected['loss'])
    for name, value in plain.state_dict().items():
        assert torch.equal(staged.state_dict()[name], value), name


def test_the_paper_networks_from_scratch_play_and_spare_the_encoder():
    """On clips so small that gradients of 1e5 and logits of 1e7 would end the game at once."""
    options = {'pretrained': None, 'model.num_privacy_networks': 2}
    cfg = load_config(str(REPOSITORY / 'configs' / 'bdq_kth.py'), options=options)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrappers = PhaseOptimWrapperConstructor(
        {phase: cfg.optim_wrapper[phase] for phase in ('action', 'privacy')}
    )(model)
    batch = clips()
    batch['inputs'] = [torch.randint(0, 256, (1, 3, 8, 32, 32)).byte() for _ in batch['inputs']]
    encoder = model.data_preprocessor.encoder
    start = encoder.quantize.thresholds.detach().clone()
    for iteration in range(4):
        if iteration == 3:
            model.restart_privacy()
        logs = play(model, batch, (('action', 1), ('privacy', 1)), wrappers)
        assert logs['action/privacy_entropy'] > 1
    assert encoder.blur.sigma.item() == pytest.approx(1, abs=0.05)
    assert (encoder.quantize.thresholds - start).abs().max() < 0.05


@pytest.mark.parametrize('held_norm', ['running', 'batch'])
def test_resume_equals_uninterrupted(synthetic_kth, tmp_path, held_norm):
    """Bit for bit: weights, optimisers, schedules and random numbers."""
    options = {'max_epochs': 2, 'model.held_norm': held_norm}
    whole = run(game_config(synthetic_kth, tmp_path / 'whole', **options))
    interrupt(game_config(synthetic_kth, tmp_path / 'broken', **options), 1)
    again = game_config(synthetic_kth, tmp_path / 'broken', **options)
    again.resume = True
    resumed = run(again)
    assert resumed.iter == whole.iter == 6
    a, b = (weights(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'broken'))
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def test_the_same_with_workers(synthetic_kth, tmp_path):
    options = {'max_epochs': 2, 'train_dataloader.num_workers': 1}
    run(game_config(synthetic_kth, tmp_path / 'whole', **options))
    interrupt(game_config(synthetic_kth, tmp_path / 'broken', **options), 1)
    again = game_config(synthetic_kth, tmp_path / 'broken', **options)
    again.resume = True
    run(again)
    a, b = (weights(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'broken'))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_steps_per_phase_and_alpha(synthetic_kth, tmp_path):
    cfg = game_config(
        synthetic_kth,
        tmp_path,
        **{
            'model.alpha': 3.0,
            'train_cfg.phases': [dict(name='action'), dict(name='privacy', steps=3)],
        },
    )
    runner = run(cfg)
    counts = {
        name: int(value)
        for name, value in unwrap(runner.model).state_dict().items()
        if name.endswith('layers.1.num_batches_tracked')
    }
    assert counts == {
        'recognizer.backbone.layers.1.num_batches_tracked': 3,
        'privacy.0.backbone.layers.1.num_batches_tracked': 9,
    }
    entry = next(e for e in logged(tmp_path) if 'action/loss' in e)
    assert entry['action/loss_entropy'] == pytest.approx(
        -3 * entry['action/privacy_entropy'], abs=1e-4
    )


@pytest.mark.parametrize(
    'phases',
    [
        [dict(name='action')],
        [dict(name='action'), dict(name='privacy', steps=0)],
        [dict(name='action'), dict(name='sleep')],
    ],
)
def test_bad_phases(synthetic_kth, tmp_path, phases):
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.train_cfg.phases = phases
    with pytest.raises(ValueError, match='phase'):
        run(cfg)


def test_restart_of_the_privacy_network(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path, max_epochs=2)
    cfg.custom_hooks.append(dict(type='RestartPrivacyHook', interval=1))
    runner = run(cfg)
    tracked = unwrap(runner.model).privacy[0].backbone.layers[1].num_batches_tracked
    # Two privacy steps an iteration, three iterations since the restart.
    assert int(tracked) == 3 * dict(runner.train_loop.phases)['privacy']


def test_an_annealed_encoder_grows_hard_by_itself(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path, max_epochs=3, **{'encoder.preset': 'bdq_annealed'})
    run(cfg)
    values = [e['encoder/hardness'] for e in logged(tmp_path) if 'encoder/hardness' in e]
    assert sorted(set(values)) == pytest.approx([5.0, 10.0, 20.0])
    assert values == sorted(values)
    assert load_encoder(tmp_path / 'encoder.json').quantize.hardness.item() == 20


def test_a_hook_says_how_hard_it_becomes(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path, max_epochs=2, **{'encoder.preset': 'bdq_annealed'})
    cfg.custom_hooks.append(dict(type='HardnessAnnealingHook', start=4.0, end=32.0))
    run(cfg)
    values = [e['encoder/hardness'] for e in logged(tmp_path) if 'encoder/hardness' in e]
    assert sorted(set(values)) == pytest.approx([4.0, 32.0])


def test_annealing_needs_an_annealed_encoder(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.custom_hooks.append(dict(type='HardnessAnnealingHook'))
    with pytest.raises(ValueError, match="mode='annealed'"):
        run(cfg)


def test_calibration_sets_the_range_from_data(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path, **{'encoder.preset': 'bdq_hard'})
    cfg.custom_hooks.append(dict(type='CalibrateRangeHook', quantile=0.99, num_batches=2))
    runner = run(cfg)
    quantizer = unwrap(runner.model).data_preprocessor.encoder.quantize
    assert quantizer.high.item() == -quantizer.low.item()
    assert 0.001 < quantizer.high.item() < 1
    assert quantizer.high.item() != pytest.approx(0.25)


def test_calibration_is_in_the_units_of_the_encoder(synthetic_kth, tmp_path):
    """Normalised input is larger, by the standard deviation of a pixel."""
    limits = {}
    for normalized in (False, True):
        options = {
            'encoder': dict(preset='bdq_hard', expects_normalized=normalized),
            'train_dataloader.sampler.shuffle': False,
        }
        cfg = game_config(synthetic_kth, tmp_path / str(normalized), **options)
        cfg.custom_hooks.append(dict(type='CalibrateRangeHook', num_batches=1))
        runner = build_runner(cfg)
        runner.train()
        preprocessor = unwrap(runner.model).data_preprocessor
        limits[normalized] = preprocessor.encoder.quantize.high.item()
        std = preprocessor.std.item()
    assert limits[True] == pytest.approx(limits[False] / std, rel=1e-4)


def test_calibration_needs_a_fixed_range(synthetic_kth, tmp_path):
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.custom_hooks.append(dict(type='CalibrateRangeHook'))
    with pytest.raises(ValueError, match="range='fixed'"):
        run(cfg)


class TestChecksBeforeTraining:
    def test_number_of_subjects(self, synthetic_kth, tmp_path):
        cfg = game_config(synthetic_kth, tmp_path, **{'model.privacy.cls_head.num_classes': 2})
        with pytest.raises(ValueError, match=r'privacy.cls_head.num_classes=2.*3 subjects'):
            run(cfg)
        assert not list(tmp_path.glob('*.pth'))

    def test_number_of_actions(self, synthetic_kth, tmp_path):
        cfg = game_config(synthetic_kth, tmp_path, **{'model.recognizer.cls_head.num_classes': 7})
        with pytest.raises(ValueError, match=r'cls_head.num_classes=7.*6 classes'):
            run(cfg)

    def test_persistent_workers_cannot_be_resumed(self, synthetic_kth, tmp_path):
        options = {'train_dataloader.num_workers': 1, 'train_dataloader.persistent_workers': True}
        with pytest.raises(ValueError, match='persistent_workers'):
            run(game_config(synthetic_kth, tmp_path, **options))

    def test_unknown_preset(self, synthetic_kth, tmp_path):
        with pytest.raises(ValueError, match="unknown encoder 'bqd'"):
            run(game_config(synthetic_kth, tmp_path, **{'encoder.preset': 'bqd'}))

    def test_unknown_protocol(self, synthetic_kth, tmp_path):
        with pytest.raises(ValueError, match='subsequence'):
            run(game_config(synthetic_kth, tmp_path, protocol='subseqence'))

    def test_missing_annotation(self, synthetic_kth, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'prepare\.py'):
            run(game_config(synthetic_kth, tmp_path, ann_file=str(tmp_path / 'none.csv')))
