"""A card says what was measured, all of it and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bdq_plugin.evaluation.cards import (
    CardFigures,
    eval_results,
    privacy_card,
    read_figures,
    write_card,
)
from bdq_plugin.evaluation.statistics import (
    Accumulation,
    Estimate,
    Interval,
    PersonFigure,
    Verification,
)

from ..game import REPOSITORY

# Names of standards, and the scale of minimal Cllr, which the card explains.
NO_FIGURES = {'30136', '27559', '0', '1'}


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


def test_figures_survive_json(figures, tmp_path) -> None:
    path = tmp_path / 'figures.json'
    path.write_text(json.dumps(figures.to_dict()))
    read = read_figures(path)
    assert read.to_dict() == figures.to_dict()
    assert privacy_card(read) == privacy_card(figures)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'format': 'bdq-audit'}, "not the figures of a privacy card: no 'format'"),
        ({'people': None, 'humans': 10}, "unexpected keyword argument 'humans'"),
        ({'action': {'value': 0.5}}, "missing or unknown: 'interval'"),
    ],
)
def test_other_files_are_refused(figures, tmp_path, change, message) -> None:
    path = tmp_path / 'figures.json'
    path.write_text(json.dumps({**figures.to_dict(), **change}))
    with pytest.raises(ValueError, match=message):
        read_figures(path)
    path.write_text('[]')
    with pytest.raises(ValueError, match='no JSON object'):
        read_figures(path)


def test_command(figures, tmp_path, capsys) -> None:
    main = runpy.run_path(str(REPOSITORY / 'tools' / 'privacy_card.py'))['main']
    path, out = tmp_path / 'figures.json', tmp_path / 'cards' / 'bdq_hard'
    path.write_text(json.dumps(figures.to_dict()))
    main([str(path), str(out)])
    said = capsys.readouterr().out.split()
    assert said == ['wrote', str(out / 'README.md'), 'wrote', str(out / 'eval_results.yaml')]
    assert (out / 'README.md').read_text() == privacy_card(figures)
    assert write_card(figures, out) == [out / 'README.md', out / 'eval_results.yaml']
    with pytest.raises(SystemExit, match='error: .*No such file'):
        main([str(tmp_path / 'none.json'), str(out)])
