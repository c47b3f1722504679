"""The audit's tools as a user calls them."""

import json
import runpy
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bdq_plugin.encoders import build_encoder, save_encoder

from ..audit_data import audit_data

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
TINY = ['panel.action.recipe.max_epochs=1', 'panel.frame.recipe.max_epochs=1']


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
    action=dict(type='ClipAttacker', target='action',
                recipe=dict(first_round=1, max_epochs=2, batch_size=8),
                backbone=dict(type='SmallConv3d', in_channels=1, channels=(8,), strides=(2,))),
    frame=dict(type='FrameAttacker', recipe=dict(first_round=1, max_epochs=2, batch_size=8),
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
    tool('audit').main(['--encoder', 'bdq', '--fold', '1', *arguments, '--cfg-options', *TINY])
    folder = tmp_path / 'results' / 'tiny_kth' / 'subsequence'
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*.json')}
    # Clear video comes first: an attacker that fails there says nothing about a code.
    cells = ('pass_through-soft', 'bdq_untrained-soft', 'bdq_untrained-hard')
    assert names == {f'fold1/{cell}-seed0-tiny.json' for cell in cells}
    result = json.loads((folder / 'fold1' / 'bdq_untrained-hard-seed0-tiny.json').read_text())
    assert result['panel']['frame']['recipe']['max_epochs'] == 1
    assert 'test shares with train' in capsys.readouterr().out

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


def test_an_encoder_is_audited_at_the_rate_that_it_is_for(arguments, tmp_path: Path) -> None:
    path = tmp_path / 'slow.json'
    save_encoder(build_encoder('bdq_hard'), path, dict(every=2))
    options = ['--encoder', str(path), '--fold', '1', *arguments, '--cfg-options', *TINY]
    tool('audit').main(options)
    tool('audit').main([*options, '--every', '3', '--no-control'])
    found = {
        result.relative_to(tmp_path / 'results').parts[0]: json.loads(result.read_text())
        for result in (tmp_path / 'results').rglob('*.json')
    }
    rates = {name: result['data']['sampling'].get('every', 1) for name, result in found.items()}
    assert rates == {'tiny_kth_every2': 2, 'tiny_kth_every3': 3}
    # Clear video beside it is of the same frames.
    assert len(list((tmp_path / 'results' / 'tiny_kth_every2').rglob('pass_through-*.json'))) == 1
    for wrong, message in [
        ('0', 'every must be 1 or more, got 0'),
        ('6', r'of its 6 frames one of 6 is encoded, which leaves 1, and a movement needs two'),
        ('9', r'of its 6 frames one of 9 is encoded, which leaves 0,'),
    ]:
        with pytest.raises(SystemExit, match=message):
            tool('audit').main([*options, '--every', wrong, '--results', str(tmp_path / 'none')])


def test_data_of_a_rate_are_not_overruled(arguments, tmp_path: Path) -> None:
    path = tmp_path / 'slow.json'
    save_encoder(build_encoder('bdq_hard'), path, dict(every=2))
    data = tmp_path / 'tiny_slow.py'
    for sampling in (dict(every=3), dict(kind='spread', frames=4)):
        data.write_text((tmp_path / 'tiny_kth.py').read_text() + f'sampling = {sampling!r}\n')
        options = ['--encoder', str(path), '--fold', '1', *arguments, '--data', str(data)]
        n = sampling.get('every', 1)
        with pytest.raises(SystemExit, match=f"'tiny_slow' say which .*every={n}.*--every {n}$"):
            tool('audit').main(options)


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


def test_a_fold_that_cannot_be_audited_stops_the_first(synthetic_own, tmp_path, capsys) -> None:
    """Take 4 of one person alone: told before the others are spent on."""
    annotation = tmp_path / 'own.csv'
    lines = synthetic_own.annotation.read_text().splitlines()
    lines += [line.replace(',anna,3,', ',anna,4,') for line in lines if ',anna,3,' in line]
    annotation.write_text('\n'.join(lines))
    options = ['--data', str(annotation), '--data-root', str(synthetic_own.root), '--hold-out']
    options += ['take', '--results', str(tmp_path / 'results'), '--panel', 'templates']
    with pytest.raises(SystemExit, match=r'error: fold 4 .* of 1 people: .* \(--fold\)'):
        tool('audit').main(['--encoder', 'bdq_hard', *options])
    assert not (tmp_path / 'results').exists()
    assert 'held out' not in capsys.readouterr().out


def test_people_left_out_cannot_be_named(synthetic_own, tmp_path) -> None:
    options = ['--data', str(synthetic_own.annotation), '--data-root', str(synthetic_own.root)]
    options += ['--hold-out', 'subject', '--results', str(tmp_path), '--panel', 'templates']
    with pytest.raises(SystemExit, match=r'identity is not defined: 1 of 1 .* tools/verify\.py'):
        tool('audit').main(['--encoder', 'bdq_hard', *options])


def test_own_videos_for_every_command(synthetic_own, tmp_path, capsys) -> None:
    options = ['--data', str(synthetic_own.annotation), '--data-root', str(synthetic_own.root)]
    options += ['--hold-out', 'take', '--results', str(tmp_path / 'results')]
    tool('compare').main(['untrained', *options, '--list'])
    assert 'to do     own-take-fold3-sign_2_untrained-hard-seed0-quick' in capsys.readouterr().out
    few = ['--folds', '1', '--families', 'energy', '--work-dir', str(tmp_path / 'work')]
    few += ['--sizes', '2', '--seeds', '0']
    tool('learning_curve').main(['--encoder', 'd', *options, *few])
    (path,) = (tmp_path / 'results').rglob('*.json')
    assert path.relative_to(tmp_path / 'results').parts == ('own', 'take', 'd-soft.json')
    with pytest.raises(SystemExit, match='--ann-file names another: leave one out'):
        tool('audit').main(['--encoder', 'd', *options, '--ann-file', 'other.csv'])
