"""The end-to-end study: both forms do the same work, and minutes are what they claim to be."""

import pytest

from bdq_plugin.engine.launch import load_config
from benchmarks import end_to_end, practice


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp('ixmas')
    end_to_end.make_ixmas(root, people=2)
    return dict(data_root=str(root / 'raw'), ann_file=str(root / 'annotations.csv'))


def test_published_recipe_reads_anew_and_plays_two_full_passes(files):
    cfg = load_config(str(end_to_end.CONFIGS / end_to_end.RECIPES['adversarial stage']))
    batch, epochs = cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs
    practice.as_published(cfg)
    assert cfg.train_cfg.type == 'PublishedTrainLoop' and 'phases' not in cfg.train_cfg
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (batch, epochs)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert not loader.dataset.cache
        types = [step['type'] for step in loader.dataset.pipeline]
        assert types[0] == 'PyAVInit' and 'ClipDecode' not in types
    assert not cfg.custom_hooks and 'loss_guard' not in cfg.default_hooks
    assert cfg.model.data_preprocessor.encoder == dict(preset='bdq', backend='plain')


def test_minutes_are_what_was_measured_times_how_often_it_comes():
    def form(factor):
        seconds = [dict(wall=factor * s, cpu=factor * s / 2) for s in (1.0, 9.0, 2.0, 4.0, 3.0)]
        set_up, *epochs, test = seconds
        run = dict(name='x', epochs=11, tests=2, epoch_s=epochs, test_s=test)
        return dict(set_up=set_up, runs=[run, run])

    row = end_to_end.summary(dict(before=form(60), after=form(6)))
    assert (row['measured_epochs'], row['epochs']) == (6, 22)
    assert row['before_wall_once_s'] == 60 * (1 + 9 + 9)
    assert row['before_wall_min'] == pytest.approx(1 + 2 * (9 + 10 * 3 + 2 * 3))
    assert row['after_cpu_min'] == pytest.approx(row['before_wall_min'] / 20)


def test_study_and_its_table():
    document = end_to_end.study(quick=True)
    parts = dict(document['parts'])
    whole = parts.pop('whole')
    assert set(parts) == {'adversarial stage', 're-training, privacy'}
    assert whole['epochs'] == sum(row['epochs'] for row in parts.values())
    for row in parts.values():
        assert row['before_wall_min'] > 0 and row['after_cpu_min'] > 0
    text = end_to_end.table(document)
    assert '**Estimated' in text and 'synthetic' in text and '| 2 of 30 |' in text
    assert all(f'| {part} |' in text for part in document['parts'])
