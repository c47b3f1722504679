"""Bounds as a user prints them, and the study that measures beside them."""

import json
from pathlib import Path

import pytest

from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.evaluation.statistics import capacity_bits, most_accuracy, pair_error

from .test_studies import data, main_of, study

__all__ = ['data', 'study']

FRAMES = ['--size', '48x64', '--grey', '--fps', '24', '--every', '8']


def test_the_bounds_of_a_clip_and_a_day(tmp_path: Path, capsys) -> None:
    path = save_encoder(build_encoder('certified', flip=0.45), tmp_path / 'encoder.json')
    main_of('certify')([str(path), *FRAMES, '--hours', '8', '--json'])
    document = json.loads(capsys.readouterr().out)
    frame, clip, linked, hour, day = document['bounds']
    counts = [each['codes'] for each in document['bounds']]
    # Three frames a second of 6 x 8 codes.
    assert counts == [48, 48 * 9, 48 * 9 * 12, 48 * 3 * 3600, 48 * 3 * 3600 * 8]
    assert clip['bits'] == pytest.approx(48 * 9 * capacity_bits(0.45))
    assert day['bits'] == pytest.approx(8 * hour['bits'])
    assert frame['person'] == pytest.approx(most_accuracy(frame['bits'], 10))
    assert 0.1 < frame['person'] < frame['action'] < 1
    assert clip['pair_error'] == pytest.approx(pair_error(48 * 9, 0.45))
    assert clip['pair_error_half'] > clip['pair_error'] > linked['pair_error'] > 0
    main_of('certify')([str(path), *FRAMES, '--hours', '8'])
    text = capsys.readouterr().out
    assert '| clip of 3 s | 432 | 3.12 | 98.0 % | 100.0 % |' in text
    assert '| day of 8 h | 4,147,200 |' in text and 'against any attacker' in text


def test_the_rate_is_that_of_the_file(tmp_path: Path, capsys) -> None:
    path = save_encoder(build_encoder('certified'), tmp_path / 'x.json', dict(every=4))
    for options, every in [([], 4), (['--every', '2'], 2)]:
        main_of('certify')([str(path), *FRAMES[:5], *options, '--json'])
        assert json.loads(capsys.readouterr().out)['use']['every'] == every
    main_of('certify')([str(path), *FRAMES[:5]])
    assert 'Of 24 frames a second one of 4 is encoded.' in capsys.readouterr().out


def test_colour_counts_and_a_probability_can_be_tried(capsys) -> None:
    main_of('certify')(['blocks', '--flip', '0.6', *FRAMES[:2], *FRAMES[3:], '--json'])
    document = json.loads(capsys.readouterr().out)
    assert document['num_levels'] == 3 and document['bounds'][0]['codes'] == 3 * 48
    assert document['bounds'][0]['bits'] == pytest.approx(144 * capacity_bits(0.6, 3))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['blocks', *FRAMES], 'blocks: no bound exists: .*sends its codes as they are'),
        (['pass_through', *FRAMES], 'pass_through: no bound exists: .*no whole levels'),
        (['bdq', *FRAMES, '--flip', '0.1'], 'bdq: no bound exists'),
        (['certified', *FRAMES, '--flip', '0.6'], 'from 0 to 0.5'),
        (['certified', *FRAMES, '--hours', '25'], 'a day has 24 hours'),
        (['certified', *FRAMES, '--fps', '0'], 'frame_rate must be above 0'),
        (['certified', *FRAMES, '--every', '0'], 'every must be above 0'),
        (['certified', *FRAMES, '--people', '1'], 'two people or actions'),
        (['certified', '--size', '50x64'], 'no whole number of blocks'),
    ],
)
def test_what_has_no_bound_says_so(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main_of('certify')(arguments)


def test_a_size_has_two_sides(capsys) -> None:
    with pytest.raises(SystemExit):
        main_of('certify')(['certified', '--size', '48'])
    assert "'48' is no size: rows x columns, such as 48x64" in capsys.readouterr().err


def test_what_is_left_stands_beside_the_bounds(study, data, tmp_path: Path, capsys) -> None:
    path = save_encoder(
        build_encoder('blocks', block=4, num_levels=2),
        tmp_path / 'coarse' / 'encoder.json',
        dict(every=2),
    )
    command = ['--encoder', str(path), *study, '--flips', '0', '0.5']
    main_of('randomized_response')(command)
    (found,) = (tmp_path / 'study').rglob('coarse-hard.json')
    document = json.loads(found.read_text())
    # Of six frames three are encoded, as the file says; 20 x 16 pixels in blocks of 4.
    assert document['codes'] == 2 * 5 * 4 and document['num_levels'] == 2
    clear, nothing = document['points']
    assert clear['bits_at_most'] == 40 and clear['person_at_most'] == 1
    assert nothing['bits_at_most'] == 0 and nothing['pair_error_at_least'] == 0.5
    assert nothing['person_at_most'] == pytest.approx(1 / 3, abs=1e-4)
    assert nothing['action_at_most'] == 0.5
    # Codes that are a coin tell nothing: chance, as far as twelve clips show it.
    assert nothing['identity']['value'] < 0.75 and nothing['action']['value'] < 0.9
    main_of('randomized_response')([*command, '--check'])
    assert 'the same again, bit for bit' in capsys.readouterr().out

    page = tmp_path / 'page.md'
    page.write_text('<!-- table:randomized_response -->\n<!-- /table -->\n')
    kind = ['--data', 'tiny_kth', '--protocol', 'subsequence']
    main_of('results_table')(
        ['--randomized-response', str(tmp_path / 'study'), *kind, '--file', str(page)]
    )
    assert '| coarse | 40 | 50.0 | 0 |' in page.read_text()
    for encoder in ('pass_through', 'bdq'):
        with pytest.raises(SystemExit, match="mode='hard' and range='fixed'"):
            main_of('randomized_response')(['--encoder', encoder, *study, '--output', 'soft'])
