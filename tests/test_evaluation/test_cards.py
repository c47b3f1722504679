"""A card says what was measured, all of it and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bdq_plugin import encoder_file
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.evaluation.candidates import output_forms
from bdq_plugin.evaluation.cards import (
    Bound,
    CardFigures,
    Measured,
    eval_results,
    privacy_card,
)
from bdq_plugin.evaluation.overview import LINKED
from bdq_plugin.evaluation.randomized_response_study import KIND
from bdq_plugin.evaluation.results import Cell, read_results, write_json
from bdq_plugin.evaluation.statistics import (
    Accumulation,
    Estimate,
    Interval,
    PersonFigure,
    Verification,
)
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.zoo_cards import zoo_figures

from ..audit_data import made_result
from ..game import REPOSITORY

# Names of standards, the scale of minimal Cllr, which the card explains, and clips that are linked.
NO_FIGURES = {'30136', '27559', '0', '1', str(LINKED)}


def estimate(value: float) -> Estimate:
    return Estimate(value, Interval(value - 0.0313, value + 0.0421, 'bootstrap 95% over 17 people'))


@pytest.fixture
def figures() -> CardFigures:
    """No two figures alike, so that each can be told from the others."""
    unseen = Verification(estimate(0.4321), estimate(0.9143), people=19, genuine=23, impostor=29)
    return CardFigures(
        encoder='bdq_hard',
        config={'sigma': 1.875, 'num_levels': 37, 'mode': 'hard', 'thresholds': [0.5625, 2.25]},
        data='IXMAS',
        dataset_id='ixmas',
        protocol='take',
        people=17,
        clips=367,
        folds=(3, 5),
        seeds=(41, 43),
        date='2031-07-29',
        versions={'bdq_plugin': '0.71.3', 'torch': '2.53'},
        chance=0.0587,
        action=estimate(0.9173),
        action_clear=estimate(0.9367),
        attacker='template',
        leakage=estimate(0.6179),
        chosen_attacker='frame',
        chosen_leakage=estimate(0.5813),
        control=estimate(0.8831),
        control_from=0.751,
        accumulation=[
            Accumulation(2, 0.7123, estimate(0.7123).interval),
            Accumulation(8, 0.9517, estimate(0.9517).interval),
        ],
        verification={'trained and enrolled in codes, unseen people': unseen},
        information=estimate(1.1847),
        worst=PersonFigure('andreas', 0.9719, clips=31, performances=13),
        negative_controls={'permuted labels': estimate(0.0671), 'border': estimate(0.2713)},
        kbit_per_second=83.72,
        drawn=['noise', 'geometry'],
        measured=[
            Measured(
                by='coarse',
                data='ixmas_shaking',
                output='hard',
                folds=(7,),
                attacker='cells',
                person=estimate(0.3319),
                linked=Accumulation(LINKED, 0.6653, estimate(0.6653).interval),
                action=estimate(0.7757),
                witness=False,
            )
        ],
        bound=Bound(
            flip=0.4231,
            every=11,
            codes=457,
            bits=0.8519,
            person=0.5437,
            action=0.6291,
            linked=0.9871,
            pair_error=0.0389,
        ),
    )


def numbers(text: str) -> set[str]:
    return set(re.findall(r'\d+(?:\.\d+)*', text))


def leaves(value: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def sayable(figures: CardFigures) -> set[str]:
    """Every way in which the card may write a number of its figures."""
    said = set()
    for leaf in leaves(figures):
        said |= numbers(str(leaf))
        if isinstance(leaf, float):
            for text in (f'{100 * leaf:.1f}', f'{leaf:.2f}', f'{leaf:.1f}'):
                said |= {text, str(float(text))}
    return said


def metadata(card: str) -> dict[str, Any]:
    _, front, _ = card.split('---\n', 2)
    return yaml.safe_load(front)


def test_every_figure_of_the_card_was_measured(figures) -> None:
    for text in (privacy_card(figures), eval_results(figures)):
        assert numbers(text.replace('-', ' ')) <= sayable(figures) | NO_FIGURES | numbers(
            figures.date.replace('-', ' ')
        )


@pytest.mark.parametrize(
    'said',
    [
        '| action | 91.7 (88.6 to 95.9) | 93.7 (90.5 to 97.9) |',
        '| person, strongest attacker (template) | 61.8 (58.7 to 66.0) | 88.3 (85.2 to 92.5) |',
        '| chosen in training (frame) | 58.1 (55.0 to 62.3) |',
        '| worst person (andreas, 31 clips) | 97.2 |',
        '| negative control: permuted labels | 6.7 (3.6 to 10.9) |',
        '| 8 | 95.2 (92.0 to 99.4) |',
        '| trained and enrolled in codes, unseen people | 43.2 (40.1 to 47.4) | 0.91 (0.88 to 0.96)'
        ' | 19 |',
        'at least 1.18 (1.15 to 1.23) bits about which of the 17 people',
        '83.7 kbit/s',
        'protocol `take`: 17 people, 367 test clips; folds 3, 5; seeds 41, 43',
        'sigma: 1.875',
        'What the camera draws (noise, geometry) nobody knows',
        '| coarse | ixmas_shaking | hard | 7 | cells ‡ | 33.2 (30.1 to 37.4) | 66.5 | 77.6 (74.4 '
        'to 81.8) |',
        'with probability 42.3 %; a clip has 457 codes, for one of every 11 frames',
        '| bits of a clip, at most | 0.85 |',
        '| person named in 12 linked clips, at most | 98.7 |',
        '| equal error rate of two given clips, at least | 3.9 |',
        '2031-07-29 with bdq_plugin 0.71.3, torch 2.53',
    ],
)
def test_figures_that_are_said(figures, said: str) -> None:
    assert said in privacy_card(figures)


def test_words(figures) -> None:
    card = privacy_card(figures)
    assert 'reduces identifiability, measured thus' in card
    assert 'anonym' not in card.lower()
    assert 'No evidence' not in card
    headings = re.findall('^## (.*)$', card, re.MULTILINE)
    assert headings == [
        'Who attacks, and with what (ISO/IEC 30136)',
        'Success probability (ISO/IEC 30136)',
        'Linkability (ISO/IEC 30136)',
        'All that was measured',
        'A bound, against any attacker',
        'Context (ISO/IEC 27559)',
        'Data (ISO/IEC 27559)',
        'Identifiability (ISO/IEC 27559)',
        'Governance (ISO/IEC 27559)',
    ]


def test_attackers_who_fail_their_control_show_nothing(figures) -> None:
    blind = dataclasses.replace(figures, control=estimate(0.749))
    assert '**No evidence.** In clear video the strongest attacker names 74.9 %' in (
        privacy_card(blind)
    )


def test_what_was_not_measured_is_said(figures) -> None:
    card = privacy_card(dataclasses.replace(figures, kbit_per_second=None, negative_controls={}))
    assert 'The rate of the codes was not measured.' in card
    assert 'No negative control was measured.' in card
    less = dict(action=None, action_clear=None, control=None, measured=(), bound=None, drawn=())
    card = privacy_card(dataclasses.replace(figures, accumulation=(), **less))
    assert '| action | not measured | not measured |' in card and 'There is no secret.' in card
    assert '(template) | 61.8 (58.7 to 66.0) | not measured |' in card
    assert '**No evidence by attack.**' in card and '- Control: not measured.' in card
    assert 'All that was measured' not in card and 'A bound' not in card
    (result,) = metadata(card)['model-index'][0]['results']
    assert not any(metric['name'].startswith('action') for metric in result['metrics'])


def test_what_no_camera_can_send_is_not_called_codes(figures) -> None:
    card = privacy_card(dataclasses.replace(figures, streams=False))
    assert '**Not for a camera.**' in card and '|  | output | clear video |' in card
    assert 'meant to run in the camera' not in card


def test_metadata_of_the_hub(figures) -> None:
    front = metadata(privacy_card(figures))
    (model,) = front['model-index']
    (result,) = model['results']
    assert model['name'] == 'bdq_hard'
    assert result['task']['type'] == 'video-classification'
    assert result['dataset'] == dict(type='ixmas', name='IXMAS', config='take', split='test')
    metrics = {(m['type'], m['name']): m['value'] for m in result['metrics']}
    assert metrics['accuracy', 'person, strongest attacker (template) (%)'] == 61.8
    assert metrics['mutual_information', 'bits about the person in a clip (bits)'] == 1.18
    assert len(metrics) == len(result['metrics']) == 6


def test_eval_results_are_a_list_of_entries(figures) -> None:
    entries = yaml.safe_load(eval_results(figures))
    assert len(entries) == 6
    for entry in entries:
        assert set(entry) == {'dataset', 'value', 'date', 'notes'}
        assert entry['dataset']['id'] == 'ixmas' and isinstance(entry['value'], float)
        assert entry['date'] == '2031-07-29'
    assert entries[0]['value'] == 91.7
    assert entries[0]['notes'] == '%; 88.6 to 95.9 (bootstrap 95% over 17 people)'


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A zoo of one encoder, audited beside clear video and another encoder."""
    folder = tmp_path / 'zoo'
    folder.mkdir()
    monkeypatch.setattr(encoder_file, 'ZOO', folder)
    encoder, clear = build_encoder('bdq_hard', sigma=2.0), build_encoder('pass_through')
    save_encoder(encoder, folder / 'mine.json', {})
    made = [
        dict(right=12, encoder=encoder, name='bdq_hard', controls=dict(border=5)),
        dict(right=2, encoder=build_encoder('bdq_hard'), name='other'),
        dict(right=19, encoder=clear, name='pass_through', output='soft'),
    ]
    for options in made:
        right, name = options.pop('right'), options.pop('name')
        result = made_result(right, **options)
        result['cell']['encoder'] = name
        write_json(Cell(**result['cell']).path(tmp_path / 'audit'), result)
    return tmp_path


def test_the_card_of_a_zoo_encoder_is_of_that_encoder(zoo) -> None:
    results = read_results(zoo / 'audit')
    figures = zoo_figures('mine', results)
    assert figures.leakage.value == pytest.approx(0.6) and figures.attacker == 'frame'
    assert figures.control.value == pytest.approx(0.95) and figures.witness
    assert (figures.people, figures.clips, figures.folds, figures.seeds) == (5, 20, (1,), (0,))
    assert figures.negative_controls['border'].value == pytest.approx(0.25)
    assert 'Verification was not measured.' in privacy_card(figures)
    without = [result for result in results if result['cell']['encoder'] != 'pass_through']
    with pytest.raises(ValueError, match='no audit of clear video beside bdq_hard: run'):
        zoo_figures('mine', without)
    with pytest.raises(ValueError, match='no audit of mine: run tools/audit.py --encoder mine'):
        zoo_figures('mine', [r for r in results if r['cell']['encoder'] != 'bdq_hard'])


def test_the_headline_is_that_of_the_table(zoo) -> None:
    """The strongest of any panel; conditions stand beside it, and what has fewer folds as well."""
    results = read_results(zoo / 'audit')
    encoder, clear = build_encoder('bdq_hard', sigma=2.0), build_encoder('pass_through')
    for right, of, name, cell in [
        (14, encoder, 'another_name', dict(panel='templates')),
        (19, clear, 'pass_through', dict(panel='templates', output='soft')),
        (18, encoder, 'bdq_hard', dict(data='ixmas_shaking')),
        (20, encoder, 'bdq_hard', dict(data='kth')),
        (20, encoder, 'bdq_hard', dict(protocol='view')),
    ]:
        results.append(made_result(right, encoder=of, action=11, **cell))
        results[-1]['cell']['encoder'] = name
    figures = zoo_figures('mine', results, rates=dict(another_name=5.5))
    assert figures.leakage.value == pytest.approx(0.7) and figures.kbit_per_second == 5.5
    assert figures.control.value == pytest.approx(0.95)
    shown = {(row.by, row.data): (round(20 * row.person.value), row.witness) for row in
             figures.measured}  # fmt: skip
    assert shown == {
        ('quick', 'ixmas'): (12, True),
        ('templates', 'ixmas'): (14, True),
        ('quick', 'ixmas_shaking'): (18, None),
    }
    for fold in (1, 2):
        for right, of, name, output in [
            (3, encoder, 'bdq_hard', 'hard'),
            (19, clear, 'pass_through', 'soft'),
        ]:
            made = made_result(right, encoder=of, output=output, fold=fold, panel='cells')
            made['attackers'].pop('action')
            results.append(made)
            results[-1]['cell']['encoder'] = name
    figures = zoo_figures('mine', results)
    assert (figures.folds, figures.action) == ((1, 2), None), 'more folds before a higher figure'
    assert figures.leakage.value == pytest.approx(0.15) and len(figures.measured) == 4


def test_the_headline_is_of_the_rate_that_the_encoder_is_for(zoo) -> None:
    encoder, clear = build_encoder('bdq_hard', sigma=2.0), build_encoder('pass_through')
    results = read_results(zoo / 'audit')
    for right, of, name in [(18, encoder, 'bdq_hard'), (19, clear, 'pass_through')]:
        for data in ('ixmas_every4', 'ixmas_moved_every2'):
            output = 'hard' if of is encoder else 'soft'
            results.append(made_result(right, encoder=of, data=data, output=output))
            results[-1]['cell']['encoder'] = name
    assert zoo_figures('mine', results).leakage.value == pytest.approx(0.6)
    assert len(zoo_figures('mine', results).measured) == 3
    for every in (4, 2):
        save_encoder(encoder, zoo / 'zoo' / 'mine.json', dict(every=every))
        assert zoo_figures('mine', results).leakage.value == pytest.approx(0.9)
    save_encoder(encoder, zoo / 'zoo' / 'mine.json', dict(every=3))
    with pytest.raises(ValueError, match='no audit of mine'):
        zoo_figures('mine', results)


def test_an_encoder_without_a_form_for_cameras_is_judged_by_its_worst(zoo) -> None:
    encoder = build_encoder('bdq')
    save_encoder(encoder, zoo / 'zoo' / 'soft.json', {})
    forms = output_forms(encoder)
    results = [
        made_result(7, encoder=forms['hard'], output='hard'),
        made_result(11, encoder=forms['soft'], output='soft'),
        made_result(19, encoder=build_encoder('pass_through'), output='soft'),
    ]
    results[-1]['cell']['encoder'] = 'pass_through'
    figures = zoo_figures('soft', results)
    assert figures.leakage.value == pytest.approx(0.55) and not figures.streams
    assert [row.output for row in figures.measured] == ['hard', 'soft']


@pytest.fixture(scope='module')
def responses() -> list[dict[str, Any]]:
    return read_studies(REPOSITORY / 'results' / 'randomized_response', KIND)


def test_a_study_of_randomised_response_makes_a_card(responses) -> None:
    figures = zoo_figures('certified_48x64', [], responses=responses)
    (document,) = responses
    (point,) = (point for point in document['points'] if point['flip'] == 0.475)
    assert figures.bound.bits == point['bits_at_most'] < 1 and figures.bound.flip == 0.475
    assert figures.leakage.value == point['identity']['value']
    assert figures.information.value == pytest.approx(point['bits'], abs=1e-3)
    assert not figures.witness and figures.action.value == point['action']['value']
    assert [row.by for row in figures.measured] == [KIND, f'{KIND}, codes a coin']
    other = copy.deepcopy(document)
    other['encoders']['3']['config']['block'] = 4
    # Of other frames there are other codes, and so another bound.
    often = copy.deepcopy(document)
    often['settings']['every'] = 4
    for none in ([], [other], [often]):
        with pytest.raises(ValueError, match='no audit of certified_48x64'):
            zoo_figures('certified_48x64', [], responses=none)
    with pytest.raises(ValueError, match='no audit of blocks_48x64'):
        zoo_figures('blocks_48x64', [], responses=responses)


def test_the_cards_of_the_package_are_those_of_its_results(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(REPOSITORY)
    main = runpy.run_path(str(REPOSITORY / 'tools' / 'privacy_card.py'))['main']
    main(['--check'])
    with pytest.raises(SystemExit, match='out of date: .*blocks_48x64.md'):
        main(['--check', '--encoder', 'blocks_48x64', '--out', str(tmp_path)])


def test_command(zoo, capsys) -> None:
    main = runpy.run_path(str(REPOSITORY / 'tools' / 'privacy_card.py'))['main']
    options = ['--results', str(zoo / 'audit'), '--verification', str(zoo / 'none')]
    options += ['--randomized-response', str(zoo / 'none'), '--rates', str(zoo / 'none.json')]
    main([*options, '--encoder', 'mine', '--out', str(zoo / 'cards')])
    files = [zoo / 'cards' / 'mine.md', zoo / 'cards' / 'mine.eval_results.yaml']
    assert capsys.readouterr().out.split() == ['wrote', str(files[0]), 'wrote', str(files[1])]
    figures = zoo_figures('mine', read_results(zoo / 'audit'))
    assert files[0].read_text() == privacy_card(figures)
    assert files[1].read_text() == eval_results(figures)
    with pytest.raises(SystemExit, match="error: no encoder 'nobody' in the zoo"):
        main([*options, '--encoder', 'nobody'])
