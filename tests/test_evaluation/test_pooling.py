"""Figures are those of the answers, pooled over folds and seeds."""

import pytest

from bdq_plugin.evaluation.overview import headlines
from bdq_plugin.evaluation.pareto import contenders
from bdq_plugin.evaluation.pooling import audited_on, pool

from ..audit_data import made_result


def test_folds_pool_exactly() -> None:
    (row,) = pool([made_result(right, fold=fold) for fold, right in ((1, 2), (2, 4), (3, [5]))])
    figure = row.networks['frame']
    assert row.folds == (1, 2, 3) and row.seeds == (0,)
    assert figure.value == pytest.approx(7 / 60) and figure.runs == 3
    assert '5 people' in figure.interval.method
    assert figure.interval.low < figure.value < figure.interval.high
    assert (row.action.value, row.action.chance) == (pytest.approx(0.8), 0.5)


def test_more_seeds_do_not_narrow_the_interval_but_show_their_spread() -> None:
    (one,) = pool([made_result(4)])
    (row,) = pool([made_result(4, seed=seed) for seed in (0, 1, 2)])
    assert row.networks['frame'].interval == one.networks['frame'].interval
    (row,) = pool([made_result(4, seed=0), made_result(8, seed=1)])
    assert row.networks['frame'].spread == (pytest.approx(0.2), pytest.approx(0.4))
    assert row.networks['frame'].value == pytest.approx(0.3)


def test_a_seed_with_fewer_folds_waits() -> None:
    results = [made_result(1, fold=1), made_result(1, fold=2), made_result(9, fold=1, seed=1)]
    (row,) = pool(results)
    assert row.folds == (1, 2) and row.seeds == (0,)


def test_other_panels_do_not_mix() -> None:
    other = made_result(1, fold=2)
    other['panel']['frame'] = dict(dropout=0.1)
    with pytest.raises(ValueError, match='different panels'):
        pool([made_result(1), other])


def named(name: str, right: int, **options) -> dict:
    result = made_result(right, **options)
    result['cell']['encoder'] = name
    return result


def test_only_who_recognises_people_in_clear_video_is_a_witness() -> None:
    code = named('bdq', 2, others=dict(template=4))
    able = named('pass_through', 10, others=dict(template=16))
    _, row = rows = pool([able, code])
    assert row.witnesses == ['template'] and row.evidence_of_privacy
    assert row.networks['frame'].control == pytest.approx(0.5)
    assert [each.encoder for each in contenders(rows)] == ['pass_through', 'bdq']
    _, row = pool([named('pass_through', 10, others=dict(template=14)), code])
    assert row.witnesses == [] and contenders([row]) == []
    # Clear video of another fold is no control.
    _, row = pool([named('pass_through', 20, fold=2, others=dict(template=20)), code])
    assert row.networks['frame'].control is None and not row.evidence_of_privacy


def test_the_maximum_stands_beside_who_was_chosen() -> None:
    (row,) = pool([made_result(4, others=dict(template=12))])
    assert row.strongest == 'template' and row.leakage.value == pytest.approx(0.6)
    assert row.chosen.value == pytest.approx(0.2) and row.chosen_names == ('frame',)


def test_encoders_are_compared_by_person() -> None:
    first, second = pool([named('bdq', 12), named('d', 4)])
    difference = first.difference(second)
    assert difference.value == pytest.approx(0.4)
    other = named('d', 4, fold=2)
    with pytest.raises(ValueError, match='not audited on the same clips'):
        first.difference(pool([other])[0])


def test_what_accumulates_and_who_is_worst() -> None:
    # The clips of one performance: one right, one wrong, each person alike but the first.
    (row,) = pool([made_result([*range(0, 20, 2), 1, 11])])
    assert row.worst().person == 'p0' and row.worst().value == 1.0
    curve = row.accumulation()
    assert [point.clips for point in curve] == [1, 2, 4]
    assert curve[0].value == pytest.approx(0.6)
    assert 0 < row.information().value < 2.33


def test_controls_are_pooled_over_their_tries() -> None:
    results = [made_result(4, controls=dict(border=6)), made_result(4, fold=2, controls={})]
    results[1]['controls'] = dict(border=results[0]['controls']['border'] * 2)
    (row,) = pool(results)
    assert row.controls['border'].value == pytest.approx(0.3)


def test_who_encodes_fewer_frames_has_the_same_clips() -> None:
    names = ('ixmas', 'ixmas_every4', 'ixmas_every12', 'ixmas_slow', 'everyone')
    results = [made_result(4) for _ in names]
    for result, name in zip(results, names, strict=True):
        result['cell'].update(data=name)
    assert sorted({audited_on(row)[0] for row in pool(results)}) == [
        'everyone', 'ixmas', 'ixmas_slow',
    ]  # fmt: skip


def test_of_attackers_who_learn_from_moved_clips_the_strongest_counts() -> None:
    """They meet the same test clips, so they stand beside the others; and one row is left."""
    moved = made_result(9)
    moved['cell'].update(data='ixmas_moved', panel='cells')
    rows = pool([made_result(4), moved])
    assert len({audited_on(row) for row in rows}) == 1
    (headline,) = headlines(rows)
    assert headline.row.panel == 'cells' and headline.row.leakage.value > 0.4
