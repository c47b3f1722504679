"""Curves come back as they were logged, from either kind of file, whole or broken."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bdq_plugin.visualization.logs import find_runs, read_config, read_metrics, read_run


def write_json_log(
    folder: Path, lines: list[dict | str], timestamp: str = '20260101_000000'
) -> Path:
    logs = folder / timestamp / 'vis_data'
    logs.mkdir(parents=True)
    text = '\n'.join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (logs / 'scalars.json').write_text(text + '\n')
    return logs


def train_line(epoch: int, step: int, **values: float) -> dict:
    return dict(values, epoch=epoch, iter=step, step=step)


def copy_with_events(run: Path, target: Path, edit) -> Path:
    shutil.copytree(run, target)
    for path in target.glob('*/vis_data/scalars.json'):
        path.unlink()
    (events,) = target.glob('*/vis_data/events*')
    events.write_bytes(edit(events.read_bytes()))
    return target


def test_both_sources_agree_on_a_real_run(finished_run):
    json_log, events = read_run(finished_run, 'json'), read_run(finished_run, 'tensorboard')
    assert (json_log.source, events.source) == ('json', 'tensorboard')
    assert json_log.train.keys() == events.train.keys()
    assert json_log.val.keys() == events.val.keys()
    for kind in ('train', 'val'):
        for tag, series in getattr(json_log, kind).items():
            other = getattr(events, kind)[tag]
            np.testing.assert_allclose(series.values, other.values, rtol=1e-5)
            np.testing.assert_allclose(series.epochs, other.epochs)
    np.testing.assert_allclose(json_log.train['action/loss'].epochs, np.arange(1, 7) / 3)
    np.testing.assert_allclose(json_log.val['action/top1'].epochs, [1, 2])
    metrics = read_metrics(finished_run)['metrics']
    assert json_log.val['action/top1'].values[-1] == pytest.approx(metrics['action/top1'])


def test_event_file_that_breaks_off(finished_run, tmp_path):
    whole = read_run(finished_run, 'tensorboard')
    cut = copy_with_events(finished_run, tmp_path / 'cut', lambda data: data[: len(data) // 2])
    log = read_run(cut)
    assert log.source == 'tensorboard'
    assert len(log.warnings) == 1 and 'breaks off' in log.warnings[0]
    kept = log.train['action/loss'].values
    assert 0 < len(kept) < len(whole.train['action/loss'].values) + 1
    np.testing.assert_allclose(kept, whole.train['action/loss'].values[: len(kept)])


def test_event_files_stand_in_for_a_broken_json_log(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / 'run')
    (scalars,) = run.glob('*/vis_data/scalars.json')
    scalars.write_bytes(b'\x00\xff garbage')
    log = read_run(run)
    assert log.source == 'tensorboard' and len(log.train['action/loss'].values) == 6
    assert '1 line(s) are broken' in log.warnings[0]


def test_foreign_event_file(finished_run, tmp_path):
    foreign = copy_with_events(finished_run, tmp_path / 'foreign', lambda data: b'not events' * 9)
    with pytest.raises(ValueError, match=r'is no event file, after 0 records \(0 of 90 bytes\)'):
        read_run(foreign)


@pytest.mark.parametrize('content', [None, 'notes.txt'])
def test_empty_or_foreign_folder(tmp_path, content):
    if content:
        (tmp_path / content).write_text('hello')
    with pytest.raises(ValueError, match='holds no log of a run: expected TIMESTAMP/vis_data'):
        read_run(tmp_path)
    assert find_runs(tmp_path) == []
    with pytest.raises(FileNotFoundError, match='no folder'):
        read_run(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match="source is one of auto, json, tensorboard, got 'csv'"):
        read_run(tmp_path, 'csv')


def test_broken_lines_are_left_out_and_said(tmp_path):
    write_json_log(
        tmp_path, [train_line(1, 1, loss=3.0), '{"loss": 2.0, "ep', train_line(2, 2, loss=1)]
    )
    log = read_run(tmp_path)
    np.testing.assert_array_equal(log.train['loss'].values, [3, 1])
    assert '1 line(s) are broken' in log.warnings[0]


def test_one_epoch_of_one_iteration(tmp_path):
    write_json_log(tmp_path, [train_line(1, 1, loss=3.0), {'action/top1': 0.5, 'step': 1}])
    log = read_run(tmp_path)
    assert (log.train['loss'].epochs, log.val['action/top1'].epochs) == ([1], [1])
    assert log.max_epoch == 1


def test_resumed_run_is_joined(tmp_path):
    write_json_log(
        tmp_path, [train_line(1, 2, loss=4), train_line(2, 4, loss=3), train_line(3, 6, loss=9)]
    )
    later = [train_line(2, 4, loss=2.5), {'action/top1': 0.25, 'step': 2}]
    write_json_log(tmp_path, later, timestamp='20260102_000000')
    log = read_run(tmp_path)
    np.testing.assert_array_equal(log.train['loss'].epochs, [1, 2])
    np.testing.assert_array_equal(log.train['loss'].values, [4, 2.5])


def test_config_is_read_and_not_run(finished_run, tmp_path):
    config = read_config(finished_run)
    assert config['train_cfg']['max_epochs'] == 2
    assert config['test_dataloader']['dataset']['pipeline'][0] == dict(type='ClipInit')
    logs = write_json_log(tmp_path, [])
    (logs / 'config.py').write_text('a = __import__("os").getcwd()')
    with pytest.raises(ValueError, match='is not one that MMEngine wrote'):
        read_config(tmp_path)


def test_metrics_of_a_run_that_is_not_finished(tmp_path):
    with pytest.raises(ValueError, match='the run is not finished'):
        read_metrics(tmp_path)
    (tmp_path / 'metrics.json').write_text('{"metrics": ')
    with pytest.raises(ValueError, match='is broken'):
        read_metrics(tmp_path)


def test_runs_come_in_the_order_in_which_they_began(tmp_path):
    write_json_log(tmp_path / 'a', [train_line(1, 1)], '20260102_000000')
    write_json_log(tmp_path / 'b', [train_line(1, 1)], '20260101_000000')
    (tmp_path / 'c').mkdir()
    assert [run.name for run in find_runs(tmp_path)] == ['b', 'a']
