from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.engine.launch import load_config
from bdq_plugin.evaluation import comparison
from bdq_plugin.evaluation.comparison import (
    EXPERIMENTS,
    Entry,
    Settings,
    Task,
    is_finished,
    list_tasks,
    provide_encoder,
    run_tasks,
    train_encoder,
)
from bdq_plugin.evaluation.encodings import Sampling
from bdq_plugin.evaluation.results import claim, read_result, write_json


@pytest.fixture
def settings(kth_data, tiny_panel, folders) -> Settings:
    return Settings(kth_data, tiny_panel, 'subsequence', **folders)


@pytest.fixture
def fake_training(monkeypatch) -> list[list[str]]:
    """Stand in for tools/train.py; returns the commands."""
    commands = []

    def run(command, *args):
        commands.append(command)
        folder = Path(command[command.index('--work-dir') + 1])
        encoder = build_encoder('bdq_hard', sigma=2.0)
        save_encoder(encoder, folder / 'encoder.json', dict(epoch=2, max_epochs=2))
        return 0

    monkeypatch.setattr(comparison, 'follow_training', run)
    return commands


def test_names_say_what_was_done() -> None:
    assert Entry('bdq').name == 'bdq'
    assert Entry('bdq_hard', alpha=0.5).name == 'bdq_hard_alpha0.5'
    assert Entry('sign_2', trained=False).name == 'sign_2_untrained'


def test_only_what_can_learn_is_trained() -> None:
    assert [e.preset for e in EXPERIMENTS['first_group'] if e.needs_training] == [
        'bdq',
        'bdq_hard',
        'bdq_released',
        'sign_16',
        'sign_2',
    ]
    assert not any(e.needs_training for e in EXPERIMENTS['untrained'])
    assert [e.preset for e in EXPERIMENTS['rivals'] if e.needs_training] == ['bdq_hard']


def test_every_experiment_is_a_list_of_cells(settings: Settings) -> None:
    for entries in EXPERIMENTS.values():
        cells = [cell for task in list_tasks(entries, [1, 2], [0]) for cell in task.cells(settings)]
        assert len({cell.key for cell in cells}) == len(cells) >= 2 * len(entries)
    outputs = {c.output for c in Task(Entry('bdq'), 1, 0).cells(settings)}
    assert outputs == {'soft', 'hard'}


def test_a_recipe_is_a_config_that_says_it_all(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, protocol='scenario', train_epochs=2)
    task = Task(Entry('bdq_annealed', alpha=4.0), fold=2, seed=1)
    path = tmp_path / 'recipe.py'
    path.write_text(comparison._recipe(task, settings, comparison.TRAIN_CONFIGS['kth']))
    cfg = load_config(str(path), work_dir=str(tmp_path), seed=1)
    assert cfg.model.data_preprocessor.encoder == dict(preset='bdq_annealed')
    assert cfg.model.alpha == 4.0 and cfg.train_cfg.max_epochs == 2
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.fold == 2 and loader.dataset.protocol == 'scenario'
        assert loader.dataset.ann_file == settings.data.dataset['ann_file']
    assert [loader.dataset.split for loader in (cfg.val_dataloader, cfg.test_dataloader)] == [
        'test',
        'test',
    ]
    assert cfg.default_hooks.save_encoder.type == 'SaveEncoderHook'


def test_an_encoder_is_trained_once(settings: Settings, fake_training) -> None:
    task = Task(Entry('bdq_hard'), 1, 0)
    for _ in range(2):
        audited = provide_encoder(task, settings, log=lambda line: None)
    assert audited.encoder.config['sigma'] == 2.0
    assert audited.origin['training']['epoch'] == 2
    assert len(fake_training) == 1 and '--resume' in fake_training[0]


def test_a_training_that_stopped_early_goes_on(settings: Settings, fake_training) -> None:
    task = Task(Entry('bdq_hard'), 1, 0)
    path = train_encoder(task, settings, log=lambda line: None)
    save_encoder(build_encoder('bdq_hard'), path, dict(epoch=1, max_epochs=2))
    train_encoder(task, settings, log=lambda line: None)
    assert len(fake_training) == 2


def test_a_training_of_another_process_is_left_to_it(settings: Settings, fake_training) -> None:
    task = Task(Entry('bdq_hard'), 1, 0)
    path = train_encoder(task, settings, log=lambda line: None)
    path.unlink()
    with claim(path.parent / 'training.lock'):
        assert provide_encoder(task, settings, log=lambda line: None) is None
    assert len(fake_training) == 1


def test_a_failed_training_names_its_log(settings: Settings, monkeypatch) -> None:
    monkeypatch.setattr(comparison, 'follow_training', lambda *args: 1)
    with pytest.raises(ValueError, match=r'training\.log'):
        train_encoder(Task(Entry('bdq_hard'), 1, 0), settings, log=lambda line: None)
    other = replace(settings, data=replace(settings.data, name='mine'))
    with pytest.raises(ValueError, match='--train-config'):
        train_encoder(Task(Entry('bdq_hard'), 1, 0), other)


def test_a_grid_is_filled_once(settings: Settings, fake_training, monkeypatch) -> None:
    entries = [Entry('pass_through'), Entry('bdq_hard'), Entry('bdq_hard', trained=False)]
    tasks = list_tasks(entries, folds=[1], seeds=[0])
    lines = []
    run_tasks(tasks, settings, log=lines.append)
    how_far = [line for line in lines if 'cells finished' in line]
    assert [line.split(' of ')[0] for line in how_far] == ['1', '2', '3']
    assert ' each, about ' in how_far[1] and how_far[2] == '3 of 3 cells finished'
    cells = [cell for task in tasks for cell in task.cells(settings)]
    assert all(is_finished(cell, settings) for cell in cells) and len(cells) == 3
    results = [read_result(cell.path(settings.results)) for cell in cells]
    assert results[1]['encoder']['config']['sigma'] == 2.0
    assert results[2]['encoder']['config']['sigma'] == 1.5
    # Without the trained encoder at hand nothing is trained again: the cells are finished.
    monkeypatch.setattr(comparison, '_run_task', None)
    run_tasks(tasks, settings, log=lambda line: None)
    changed = replace(
        settings,
        panel=replace(settings.panel, networks={'template': settings.panel.networks['template']}),
    )
    fewer = replace(settings, panel=replace(settings.panel, controls=('permuted',)))
    spread = replace(settings, data=replace(settings.data, sampling=Sampling('spread', frames=4)))
    for other in (changed, fewer, spread):
        with pytest.raises(ValueError, match='another panel'):
            is_finished(cells[0], other)
    write_json(cells[0].path(settings.results), dict(format='bdq-audit', version=0))
    with pytest.raises(ValueError, match='version 0'):
        is_finished(cells[0], settings)


def test_a_process_waits_for_what_another_one_holds(settings: Settings, monkeypatch) -> None:
    task = Task(Entry('pass_through'), 1, 0)
    (cell,) = task.cells(settings)
    other = ExitStack()
    assert other.enter_context(claim(settings.work_dir / f'{cell.key}.lock'))
    naps = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        other.close()

    monkeypatch.setattr(comparison.time, 'sleep', sleep)
    run_tasks([task], settings, log=lambda line: None)
    assert naps[0] == comparison._PATIENCE and is_finished(cell, settings)
