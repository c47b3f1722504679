"""The audit's tools as a user calls them."""

import json
import runpy
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bdq_plugin.evaluation.results import write_json

from ..audit_data import audit_data

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
TINY = ['panel.frame.recipe.max_epochs=1']


def tool(name: str) -> SimpleNamespace | ModuleType:
    return SimpleNamespace(**runpy.run_path(str(TOOLS / f'{name}.py')))


@pytest.fixture
def arguments(synthetic_kth, tmp_path: Path) -> list[str]:
    data = tmp_path / 'tiny_kth.py'
    data.write_text(audit_data(synthetic_kth))
    panel = tmp_path / 'tiny.py'
    panel.write_text(
        """
panel = dict(
    action=dict(type='ClipAttacker', target='action', clip_len=4,
                recipe=dict(first_round=1, max_epochs=1),
                backbone=dict(type='SmallConv3d', in_channels=1, channels=(8,), strides=(2,))),
    frame=dict(type='FrameAttacker', recipe=dict(first_round=1, max_epochs=1),
               backbone=dict(type='SmallConv2d', in_channels=1, channels=(8,), strides=(2,))))
"""
    )
    return [
        '--data',
        str(data),
        '--panel',
        str(panel),
        '--protocol',
        'subsequence',
        '--results',
        str(tmp_path / 'results'),
        '--work-dir',
        str(tmp_path / 'work'),
    ]


def test_audit_from_preset_to_table(arguments: list[str], tmp_path: Path, capsys) -> None:
    command = ['--encoder', 'bdq', *arguments, '--cfg-options', *TINY]
    tool('audit').main(command)
    folder = tmp_path / 'results' / 'tiny_kth' / 'subsequence'
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*.json')}
    forms = ('bdq-soft', 'bdq-hard', 'pass_through-soft')
    assert names == {f'fold1/{form}-seed0-tiny.json' for form in forms}
    result = json.loads((folder / 'fold1' / 'bdq-hard-seed0-tiny.json').read_text())
    assert result['panel']['frame']['recipe']['max_epochs'] == 1
    assert 'test shares with train' in capsys.readouterr().out

    tool('audit').main([*command, '--output', 'hard', '--repeat'])
    assert 'bdq-hard-seed0-tiny: the same again, bit for bit' in capsys.readouterr().out
    result['attackers']['frame']['scores'][0][0] += 0.5
    write_json(folder / 'fold1' / 'bdq-hard-seed0-tiny.json', result)
    with pytest.raises(SystemExit, match=r'1 values differ: attackers\.frame\.scores\[0\]\[0\]'):
        tool('audit').main([*command, '--output', 'hard', '--repeat'])

    readme = tmp_path / 'README.md'
    readme.write_text('<!-- table:audit -->\n<!-- /table -->\n')
    options = [
        '--results',
        str(tmp_path / 'results'),
        '--file',
        str(readme),
        '--data',
        'tiny_kth',
        '--protocol',
        'subsequence',
    ]
    with pytest.raises(SystemExit, match='out of date'):
        tool('results_table').main([*options, '--check'])
    tool('results_table').main(options)
    tool('results_table').main([*options, '--check'])


def test_audit_says_what_is_wrong(arguments: list[str]) -> None:
    main = tool('audit').main
    with pytest.raises(SystemExit, match=r"error: unknown encoder 'nobody'"):
        main(['--encoder', 'nobody', *arguments])
    with pytest.raises(SystemExit, match='has no soft output, only hard'):
        main(['--encoder', 'bdq_hard', '--output', 'soft', *arguments])
    with pytest.raises(SystemExit, match='error: .*fold'):
        main(['--encoder', 'd', '--fold', '7', *arguments])


def test_compare_lists_runs_and_prints_a_table(arguments: list[str], capsys) -> None:
    main = tool('compare').main
    chosen = ['rivals', '--encoders', 'pass_through', 'ryoo_64', '--folds', '1', *arguments]
    main([*chosen, '--list'])
    assert capsys.readouterr().out.count('to do') == 2
    main(chosen)
    assert '| ryoo_64 | soft | 1 x 1 |' in capsys.readouterr().out
    main([*chosen, '--list'])
    assert capsys.readouterr().out.count('finished') == 2
    with pytest.raises(SystemExit, match='is not in this experiment'):
        main(['rivals', '--encoders', 'bdq', *arguments])


def test_publish_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match='error: no encoder file'):
        tool('publish_encoder').main([str(tmp_path / 'encoder.json'), '--name', 'mine'])


def test_results_table_needs_a_place(tmp_path: Path) -> None:
    readme = tmp_path / 'README.md'
    readme.write_text('no place\n')
    with pytest.raises(SystemExit, match='has no place for a table'):
        tool('results_table').main(['--file', str(readme), '--results', str(tmp_path)])


@pytest.fixture
def study(arguments: list[str], tmp_path: Path) -> list[str]:
    kept = arguments[arguments.index('--data') :][:2] + ['--protocol', 'subsequence']
    folders = ['--results', str(tmp_path / 'study'), '--work-dir', str(tmp_path / 'work')]
    return [*kept, *folders, '--folds', '1', '--families', 'energy', 'levels']


def table_of(name: str, tmp_path: Path) -> str:
    readme = tmp_path / 'README.md'
    readme.write_text(f'<!-- table:{name} -->\n<!-- /table -->\n')
    places = ['--results', str(tmp_path / 'none'), '--file', str(readme)]
    places += ['--data', 'tiny_kth', '--protocol', 'subsequence']
    option = f'--{name.replace("_", "-")}'
    tool('results_table').main([*places, option, str(tmp_path / 'study')])
    return readme.read_text()


def test_learning_curve_from_command_to_figure(study: list[str], tmp_path: Path, capsys) -> None:
    options = ['--encoder', 'd', *study, '--sizes', '2', '--seeds', '0', '1']
    tool('learning_curve').main(options)
    path = tmp_path / 'study' / 'tiny_kth' / 'subsequence' / 'd-soft.json'
    document = json.loads(path.read_text())
    # Four videos of each person, each with two training sub-sequences.
    assert [point['performances'] for point in document['points']] == [2, 4]
    assert [point['clips'] for point in document['points']] == [12, 24]
    assert not list((tmp_path / 'work').rglob('*.npz'))
    tool('learning_curve').main([*options, '--check'])
    assert 'the same again, bit for bit' in capsys.readouterr().out
    assert '| d | soft |' in table_of('learning_curve', tmp_path)
    figure = tmp_path / 'figure.png'
    wanted = ['--data', 'tiny_kth', '--protocol', 'subsequence']
    tool('figures/learning_curve').main(
        [str(figure), '--results', str(tmp_path / 'study'), *wanted]
    )
    assert figure.stat().st_size > 5000
    document['points'][0]['value'] += 0.01
    write_json(path, document)
    with pytest.raises(SystemExit, match=r'does not repeat: points\[0\]\.value differ'):
        tool('learning_curve').main([*options, '--check'])
    with pytest.raises(SystemExit, match='measured with another encoder, data config or settings'):
        tool('learning_curve').main([*options, '--sizes', '3'])
    with pytest.raises(SystemExit, match='sizes of 2 performances or more'):
        tool('learning_curve').main([*options, '--sizes', '1'])


def test_verification_needs_people_to_leave_out(study: list[str]) -> None:
    # Of three people no two halves of two or more can be made.
    with pytest.raises(SystemExit, match='3 people cannot be split into 2 parts of two or more'):
        tool('verify').main(['--encoder', 'd', *study])
