"""The table of the main experiment says what its files say."""

import json

import pytest

from bdq_plugin.evaluation.run_tables import read_runs, runs_table


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / 'fold3'
    folder.mkdir()
    common = dict(fold=3, epochs=60)
    privacy = {'privacy/frame_top1': 0.5, 'privacy/vote_top1': 0.625, 'privacy/chance': 0.1}
    files = dict(
        no_encoder=dict(common, metrics={'action/top1': 0.875, **privacy}),
        action=dict(common, metrics={'action/top1': 0.25}),
    )
    for name, document in files.items():
        (folder / f'{name}.json').write_text(json.dumps(document))
    return tmp_path


def test_rows(results):
    lines = runs_table(results).splitlines()
    assert lines[2] == '| 3 | clear video, both networks | 87.5 | 50.0 | 62.5 | 60 |'
    assert lines[3] == '| 3 | BDQ frozen, fresh action network | 25.0 |  |  | 60 |'
    assert lines[4] == '|  | chance | 16.7 | 10.0 | 10.0 |  |'


def test_nothing_there(tmp_path):
    assert runs_table(tmp_path) == 'No results yet.\n'
    with pytest.raises(FileNotFoundError, match='reproduce_ixmas_cpu'):
        read_runs(tmp_path)
