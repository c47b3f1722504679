"""The table of tiers says what was measured, and what each goal misses."""

from __future__ import annotations

import copy

from bdq_plugin.encoders import zoo_names
from bdq_plugin.evaluation.overview import ENCODERS
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.randomized_response_study import KIND
from bdq_plugin.evaluation.studies import read_studies
from bdq_plugin.evaluation.tiers import CERTIFIED, TIERS, tiers_table

from ..audit_data import made_result
from ..game import REPOSITORY

EVERYDAY, STRICT, LABEL = TIERS


def named(name: str, right: int, **options) -> dict:
    result = made_result(right, clips=120, people=10, **options)
    result['cell']['encoder'] = name
    return result


def shown(results: list[dict], responses=()) -> dict[str, dict[str, str]]:
    lines = tiers_table(pool(results), responses).splitlines()
    head, _, *rows = [line[2:-2].split(' | ') for line in lines if line.startswith('|')]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_tiers_are_of_encoders_that_exist() -> None:
    assert {tier.encoder for tier in TIERS} <= set(ENCODERS)
    assert EVERYDAY.encoder in zoo_names() and CERTIFIED in zoo_names()


def test_what_is_reached_and_what_is_missed() -> None:
    clear = named('pass_through', 110, action=114)
    spread = list(range(0, 120, 8))  # seldom, and of all people alike
    good = shown([clear, named(EVERYDAY.encoder, spread, action=112)])['everyday']
    assert good['person'].startswith('12.5 (') and good['action'] == '93.3'
    assert good['goal'].endswith('within 3 points of clear video (95.0)')
    assert 'action' not in good['missed'] and 'person' not in good['missed']
    bad = shown([clear, named(EVERYDAY.encoder, 60, action=100)])['everyday']
    assert bad['missed'] == 'person, 12 linked, action'
    assert shown([clear])['everyday']['missed'] == 'not measured'


def test_an_action_of_other_folds_says_so() -> None:
    results = [named(STRICT.encoder, 12, fold=fold, panel='cells') for fold in (1, 2)]
    for result in results:
        result['attackers'].pop('action')
    results.append(named(STRICT.encoder, 11, action=60))
    row = shown(results)['strict']
    assert (row['folds'], row['action']) == ('1, 2', '50.0 (1)')
    assert row['missed'].endswith('action')


def test_labels_are_held_against_chance() -> None:
    for right, missed in [(70, 'person, 12 linked'), (list(range(0, 120, 10)), 'nothing')]:
        result = named('pass_through', 110, controls=dict(label_stream=right))
        row = shown([result])['label']
        assert row['missed'] == missed and row['goal'] == 'person at chance'
    assert shown([named('pass_through', 110)])['label']['missed'] == 'not measured'


def test_the_bound_is_that_of_the_study() -> None:
    (study,) = read_studies(REPOSITORY / 'results' / 'randomized_response', KIND)
    row = shown([], [study])['certified']
    (point,) = (point for point in study['points'] if point['flip'] == 0.475)
    assert f'({point["bits_at_most"]:.2g} bits of a clip)' in row['goal']
    assert row['use'] == '`certified_48x64`, `--every 8`' and row['missed'] == 'action'
    told = copy.deepcopy(study)
    for each in told['points']:
        each['action']['value'] = 0.2
    assert shown([], [told])['certified']['missed'] == 'nothing'
    assert shown([])['certified']['missed'] == 'not measured'
