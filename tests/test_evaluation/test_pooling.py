from typing import Any

import pytest

from bdq_plugin.evaluation.comparison import Entry
from bdq_plugin.evaluation.pareto import contenders
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.statistics import wilson_interval
from bdq_plugin.evaluation.tables import (
    alpha_table,
    audit_table,
    fill,
    make_table,
    select,
    table_names,
)


def result(
    right: list[int],
    fold: int = 1,
    seed: int = 0,
    encoder: str = 'bdq',
    learned: bool = True,
    action: int = 8,
    **cell: Any,
) -> dict[str, Any]:
    """A result over 10 clips of a fold, right on those in ``right``."""
    truth = [i % 5 for i in range(10)]
    predicted = [t if i in right else (t + 1) % 5 for i, t in enumerate(truth)]
    share = len(right) / 10

    def figures(name: str, value: float, chance: float) -> dict[str, Any]:
        return {
            'figure': name,
            name: value,
            'train_accuracy': 1.0 if learned else 0.3,
            'learned': learned,
            'chance': chance,
            'majority': chance,
        }

    return {
        'cell': {
            'data': 'ixmas',
            'protocol': 'take',
            'fold': fold,
            'encoder': encoder,
            'output': 'hard',
            'seed': seed,
            'panel': 'quick',
            **cell,
        },
        'panel': {'action': {'target': 'action'}, 'frame': {}},
        'test': {
            'ids': [f'{fold}/{i}' for i in range(10)],
            'groups': [f'{fold}/{i // 2}' for i in range(10)],
            'identity': truth,
            'action': truth,
        },
        'figures': {
            'action': figures('clip_top1', action / 10, 0.2),
            'frame': {**figures('vote_top1', share, 0.2), 'frame_top1': share / 2},
        },
        'answers': {
            'action': {'predicted': truth[:action] + [9] * (10 - action)},
            'frame': {'predicted': predicted},
        },
    }


def test_folds_pool_exactly() -> None:
    (row,) = pool([result([0, 1], fold=1), result([0, 1, 2, 3], fold=2), result([5], fold=3)])
    figure = row.networks['frame']
    assert row.folds == (1, 2, 3) and row.seeds == (0,)
    assert figure.value == pytest.approx(7 / 30)
    assert figure.interval == wilson_interval(7, 30)
    assert '15 performances' in figure.cluster_interval.method
    assert figure.frame_top1 == pytest.approx(7 / 60)


def test_more_seeds_do_not_narrow_the_interval_but_show_their_spread() -> None:
    (row,) = pool([result([0, 1], seed=0), result([0, 1, 2, 3], seed=1)])
    figure = row.networks['frame']
    assert figure.interval == wilson_interval(3, 10)
    assert figure.spread == (pytest.approx(0.2), pytest.approx(0.4))


def test_a_seed_with_fewer_folds_waits() -> None:
    (row,) = pool([result([0], fold=1), result([0], fold=2), result([0] * 1, fold=1, seed=1)])
    assert row.folds == (1, 2) and row.seeds == (0,)


def test_other_panels_do_not_mix() -> None:
    other = result([0], fold=2)
    other['panel']['frame'] = dict(dropout=0.1)
    with pytest.raises(ValueError, match='different panels'):
        pool([result([0]), other])


def test_what_never_learned_is_no_evidence() -> None:
    (row,) = pool([result([0], learned=False)])
    assert not row.evidence_of_privacy
    assert '10.0†' in audit_table([row]) and 'no attacker learned' in audit_table([row])
    (learned,) = pool([result([0])])
    assert learned.evidence_of_privacy and learned.strongest == 'frame'


def test_table() -> None:
    rows = pool([result([0, 1], encoder='bdq'), result([0], encoder='d')])
    lines = audit_table(rows).splitlines()
    assert lines[0].startswith('| encoder | output | runs | action | frame, single | frame, vote |')
    assert lines[2].startswith('| bdq | hard | 1 x 1 | 80.0 | 10.0 | 20.0 |')
    assert lines[4].startswith('| chance / majority |')
    assert audit_table([]) == 'No results yet.\n'


def test_what_a_network_gives_beside_its_accuracy():
    results = [result([0], fold=1), result([1], fold=2)]
    for restored, psnr in zip(results, (18.0, 20.0), strict=True):
        restored['figures']['frame']['extras'] = {'psnr_db': psnr, 'ssim': 0.5}
    rows = pool(results)
    assert rows[0].networks['frame'].extras == {'psnr_db': 19.0, 'ssim': 0.5}
    lines = audit_table(rows).splitlines()
    assert lines[-3:] == [
        '| frame | output | PSNR (dB) | SSIM |',
        '| --- | --- | --- | --- |',
        '| bdq | hard | 19.00 | 0.50 |',
    ]


def test_alpha_table_names_the_front() -> None:
    names = ['bdq_hard_alpha1', 'bdq_hard_alpha2']
    rows = pool(
        [
            result([0, 1, 2, 3], encoder=names[0], action=8),
            result([0, 1, 2, 3, 4], encoder=names[1], action=8),
        ]
    )
    text = alpha_table(rows)
    assert 'Pareto front (action against most leaked): bdq_hard_alpha1 (hard).' in text
    # ((0.8 - 0.2) / 0.8) x ((1 - 0.4) / 0.8).
    assert 'Hyper-volume 0.562' in text


def test_what_never_learned_counts_in_no_front() -> None:
    leaks = result([0, 1, 2, 3], encoder='bdq_hard_alpha1')
    blind = result([0], encoder='bdq_hard_alpha2', action=9, learned=False)
    rows = pool([leaks, blind])
    assert [row.encoder for row in contenders(rows)] == ['bdq_hard_alpha1']
    text = alpha_table(rows)
    assert 'most leaked): bdq_hard_alpha1 (hard).' in text and 'count in neither' in text
    assert 'No Pareto front: of no row did an attacker learn' in alpha_table(pool([blind]))
    assert alpha_table([]) == 'No results yet.\n'


def test_select_keeps_the_order_of_the_experiment() -> None:
    rows = pool(
        [
            result([0], encoder='d'),
            result([0], encoder='bdq'),
            result([0], encoder='bdq', data='ixmas_shuffled8'),
            result([0], encoder='other'),
        ]
    )
    chosen = select(rows, [Entry('bdq'), Entry('d'), Entry('bdq', chunk_len=8)], 'quick')
    assert [(row.encoder, row.data) for row in chosen] == [
        ('bdq', 'ixmas'),
        ('d', 'ixmas'),
        ('bdq', 'ixmas_shuffled8'),
    ]
    assert '| bdq (shuffled) |' in audit_table(chosen)


def test_fill_replaces_sections_and_nothing_else() -> None:
    rows = pool([result([0])])
    end = '<!-- /table -->\n'
    text = f'a\n<!-- table:audit -->\nstale\n{end}b\n<!-- table:alpha -->\n{end}'
    new = fill(text, lambda name: make_table(name, rows))
    assert table_names(text) == ['audit', 'alpha']
    assert new.startswith('a\n<!-- table:audit -->\n| encoder |') and 'stale' not in new
    assert new.endswith('<!-- table:alpha -->\nNo results yet.\n<!-- /table -->\n')
    assert fill(new, lambda name: make_table(name, rows)) == new
    with pytest.raises(ValueError, match="no table 'mine'"):
        make_table('mine', rows)
