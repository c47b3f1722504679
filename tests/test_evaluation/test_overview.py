"""README's table leaves out nothing that was audited, and takes the strongest attacker."""

import json

import pytest

from bdq_plugin.evaluation.comparison import EXPERIMENTS
from bdq_plugin.evaluation.overview import ENCODERS, overview_table
from bdq_plugin.evaluation.pooling import pool
from benchmarks import harness

from ..audit_data import made_result


def named(name: str, right: int, **options) -> dict:
    result = made_result(right, **options)
    result['cell']['encoder'] = name
    return result


def row_of(text: str, name: str) -> dict[str, str]:
    rows = [line[2:-2].split(' | ') for line in text.splitlines() if line.startswith('|')]
    (row,) = (row for row in rows if row[0] == name)
    return dict(zip(rows[0], row, strict=True))


def test_the_strongest_attacker_of_any_panel() -> None:
    results = [named('bdq_untrained', 8), named('bdq_untrained', 12, panel='templates')]
    shown = row_of(overview_table(pool(results), dict(bdq_untrained=7.25)), 'bdq_untrained')
    assert shown['strongest attacker'].startswith('60.0 (') and '(templates)' in shown['by']
    assert (shown['folds'], shown['action'], shown['kbit/s']) == ('1', '80.0', '7.2')


def test_more_folds_count_before_a_higher_figure() -> None:
    results = [named('bdq_untrained', 8, fold=fold) for fold in (1, 2)]
    results.append(named('bdq_untrained', 12, panel='templates'))
    shown = row_of(overview_table(pool(results), {}), 'bdq_untrained')
    assert (shown['folds'], shown['kbit/s']) == ('1, 2', '')
    assert shown['strongest attacker'].startswith('40.0 (')


def test_the_floor_is_of_clear_video() -> None:
    def with_floor(name: str, right: int, **options: int) -> dict:
        return named(name, 50, clips=60, controls=dict(scores=right), **options)

    clear = [with_floor('pass_through', 40, fold=fold) for fold in (1, 2)]
    shown = row_of(overview_table(pool([*clear, with_floor('bdq_untrained', 10)]), {}), 'floor')
    assert shown['strongest attacker'].startswith('66.7 (') and shown['folds'] == '1, 2'
    # Two of three clips of each person are right, and so are twelve together.
    assert (shown['12 linked'], shown['by'], shown['action']) == ('100.0', '', '')
    assert '| floor' not in overview_table(pool([with_floor('bdq_untrained', 10)]), {})


def test_none_is_left_out_silently() -> None:
    rows = pool([named('bdq_untrained', 8)])
    missing = [name for name in ENCODERS if name != 'bdq_untrained']
    assert f'Not audited yet: {", ".join(missing)}.' in overview_table(rows, {})
    with pytest.raises(ValueError, match='results of another: add them to ENCODERS'):
        overview_table(pool([named('bdq_untrained', 8), named('another', 8)]), {})
    assert overview_table([], {}) == 'No results yet.\n'


def test_the_list_holds_the_untrained_and_every_rate() -> None:
    assert {entry.name for entry in EXPERIMENTS['untrained']} <= set(ENCODERS)
    rates = json.loads((harness.RESULTS / 'rates.json').read_text())
    assert {row['encoder'] for row in rates['rows']} <= set(ENCODERS) and rates['clips'] == 360
