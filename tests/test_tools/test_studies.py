"""Repeated cells, learning curves and verification as a user calls them."""

import json
import runpy
from pathlib import Path

import pytest

from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.evaluation.results import write_json

from ..audit_data import audit_data
from ..game import REPOSITORY

PANEL = "panel = dict(template=dict(type='TemplateAttacker', families=['energy', 'levels']))\n"


def main_of(script: str):
    return runpy.run_path(str(REPOSITORY / 'tools' / f'{script}.py'))['main']


@pytest.fixture
def data(synthetic_kth, tmp_path: Path) -> list[str]:
    config = tmp_path / 'tiny_kth.py'
    config.write_text(audit_data(synthetic_kth))
    return ['--data', str(config), '--protocol', 'subsequence']


@pytest.fixture
def study(data: list[str], tmp_path: Path) -> list[str]:
    folders = ['--results', str(tmp_path / 'study'), '--work-dir', str(tmp_path / 'work')]
    return [*data, *folders, '--folds', '1', '--families', 'energy', 'levels']


def test_a_finished_cell_is_computed_again(data: list[str], tmp_path: Path, capsys) -> None:
    (tmp_path / 'tiny.py').write_text(PANEL)
    folders = ['--results', str(tmp_path / 'results'), '--work-dir', str(tmp_path / 'work')]
    command = ['--encoder', 'd', '--no-control', '--panel', str(tmp_path / 'tiny.py'), *data]
    with pytest.raises(SystemExit, match='error: .*No such file'):
        main_of('audit')([*command, *folders, '--repeat'])
    main_of('audit')([*command, *folders])
    main_of('audit')([*command, *folders, '--repeat'])
    assert 'd-soft-seed0-tiny: the same again, bit for bit' in capsys.readouterr().out
    (path,) = (tmp_path / 'results').rglob('*.json')
    result = json.loads(path.read_text())
    result['attackers']['template']['scores'][0][0] += 0.5
    write_json(path, result)
    place = r'attackers\.template\.scores\[0\]\[0\]'
    with pytest.raises(SystemExit, match=f'does not repeat: 1 values differ: {place};'):
        main_of('audit')([*command, *folders, '--repeat'])
    assert json.loads(path.read_text()) == result


def test_learning_curve_from_command_to_figure(
    study: list[str], data: list[str], tmp_path: Path, capsys
) -> None:
    command = ['--encoder', 'd', *study, '--sizes', '2', '--seeds', '0', '1']
    main_of('learning_curve')(command)
    path = tmp_path / 'study' / 'tiny_kth' / 'subsequence' / 'd-soft.json'
    document = json.loads(path.read_text())
    assert document['points'][0]['performances'] == 2
    assert document['points'][-1]['clips'] == 24
    assert not list((tmp_path / 'work').rglob('*.npz'))
    main_of('learning_curve')([*command, '--check'])
    assert 'the same again, bit for bit' in capsys.readouterr().out

    readme, figure = tmp_path / 'README.md', tmp_path / 'figure.png'
    readme.write_text('<!-- table:learning_curve -->\n<!-- /table -->\n')
    kind = ['--data', 'tiny_kth', '--protocol', 'subsequence']
    places = ['--results', str(tmp_path / 'none'), '--learning-curve', str(tmp_path / 'study')]
    main_of('results_table')([*places, *kind, '--file', str(readme)])
    assert '| d | soft |' in readme.read_text()
    main_of('figures/learning_curve')([str(figure), '--results', str(tmp_path / 'study'), *kind])
    assert figure.stat().st_size > 5000

    document['points'][0]['value'] += 0.01
    write_json(path, document)
    with pytest.raises(SystemExit, match=r'does not repeat: points\[0\]\.value differ'):
        main_of('learning_curve')([*command, '--check'])
    with pytest.raises(SystemExit, match='measured with another encoder, data config or settings'):
        main_of('learning_curve')([*command, '--sizes', '3'])
    with pytest.raises(SystemExit, match='sizes of 2 performances or more'):
        main_of('learning_curve')([*command, '--sizes', '1'])


def test_a_study_is_of_the_rate_that_the_encoder_is_for(study: list[str], tmp_path: Path) -> None:
    for fold, every in enumerate([2, 3], 1):
        save_encoder(build_encoder('d'), tmp_path / f'slow{fold}.json', dict(every=every))
    few = [*study, '--sizes', '2', '--seeds', '0']
    main_of('learning_curve')(['--encoder', str(tmp_path / 'slow1.json'), *few])
    assert [path.name for path in (tmp_path / 'study').iterdir()] == ['tiny_kth_every2']
    both = ['--encoder', str(tmp_path / 'slow{fold}.json'), *few, '--folds', '1', '2']
    with pytest.raises(SystemExit, match='its folds are for other rates.*say --every'):
        main_of('learning_curve')(both)


def test_verification_needs_people_to_leave_out(study: list[str]) -> None:
    # Of three people no two halves of two or more can be made.
    with pytest.raises(SystemExit, match='3 people cannot be split into 2 parts of two or more'):
        main_of('verify')(['--encoder', 'd', *study])
