"""Tables say what was pooled, and stand where a text has a place for them."""

import pytest

from bdq_plugin.evaluation.comparison import Entry
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.tables import (
    alpha_table,
    audit_table,
    differences_table,
    make_table,
    select,
)

from ..audit_data import made_result


def named(name: str, right: int, **options) -> dict:
    result = made_result(right, **options)
    result['cell']['encoder'] = name
    return result


CLEAR = named('pass_through', 20, others=dict(template=5))


def test_a_row_has_all_that_counts() -> None:
    rows = pool([CLEAR, named('bdq', 8, others=dict(template=12))])
    lines = audit_table(rows).splitlines()
    head, row = (dict(enumerate(line.strip('| ').split(' | '))) for line in (lines[0], lines[3]))
    shown = dict(zip(head.values(), row.values(), strict=True))
    assert shown['runs'] == '1 x 1' and shown['action'] == '80.0'
    # The template attacker names most on the code, but only a quarter in clear: no witness.
    assert shown['most leaked'].startswith('60.0 (') and shown['most leaked'].endswith('‡')
    assert (shown['by'], shown['chosen'], shown['clear']) == ('template', '40.0, frame', '25.0')
    assert lines[4].startswith('| chance / majority |') and '20.0 / 20.0' in lines[4]
    assert audit_table([]) == 'No results yet.\n'


def test_attackers_that_stopped_early_or_fail_in_clear_are_marked() -> None:
    code = named('bdq', 8, others=dict(template=12), converged=False)
    code['attackers']['template']['extras'] = dict(psnr_db=18.0, ssim=0.5)
    code['left_out'] = dict(pretrained='no file')
    text = make_table('first_group_attackers', pool([CLEAR, code]))
    assert '| bdq | hard | 40.0 (95.0)† | 60.0 (95.0)†‡ |' in text
    assert 'Left out: pretrained: no file.' in text
    assert '| template | output | PSNR (dB) | SSIM |' in text and '| 18.00 | 0.50 |' in text


def test_controls_and_differences() -> None:
    rows = pool([named('bdq', 16, controls=dict(border=4)), named('d', 4, controls=dict(border=4))])
    text = make_table('audit_controls', rows)
    assert '| encoder | output | border |' in text and '| bdq | hard | 20.0 (' in text
    lines = differences_table(rows).splitlines()
    assert lines[0] == '| encoder | output | more than d (hard) | shown |'
    assert lines[2].startswith('| bdq | hard | 60.0 (') and lines[2].endswith('| yes |')
    assert differences_table(rows[:1]) == 'Nothing to compare yet.\n'


def test_what_a_recogniser_tells_of_a_clip_and_of_linked_ones() -> None:
    controls = dict(border=9, label=6, label_stream=10)
    rows = pool([named('pass_through', 20, controls=controls), named('d', 4)])
    lines = make_table('audit_recognition', rows).splitlines()
    assert lines[0] == ('| encoder | output | folds | action | what leaves | person | 4 linked |')
    assert lines[2].startswith('| pass_through | hard | 1 | 80.0 | label | 30.0 (')
    assert lines[3].startswith('| pass_through | hard | 1 | 80.0 | label_stream | 50.0 (')
    assert lines[3].count('(') == 2 and 'border' not in '\n'.join(lines)
    assert make_table('audit_recognition', pool([named('d', 4)])) == 'No controls yet.\n'


def test_alpha_table_names_the_front() -> None:
    codes = [named('bdq_hard_alpha1', 8), named('bdq_hard_alpha2', 10)]
    clear = named('pass_through', 20)
    text = alpha_table(pool([clear, *codes])[1:])
    assert 'Pareto front (action against most leaked): bdq_hard_alpha1 (hard).' in text
    # ((0.8 - 0.5) / 0.5) x ((1 - 0.4) / 0.8).
    assert 'Hyper-volume 0.450' in text
    assert 'No Pareto front: no attacker is a witness' in alpha_table(pool(codes))
    assert alpha_table([]) == 'No results yet.\n'


def test_select_keeps_the_order_of_the_experiment() -> None:
    rows = pool([named('d', 1), named('bdq', 1), named('other', 1), named('bdq', 1, output='soft')])
    chosen = select(rows, [Entry('bdq'), Entry('d')], 'quick')
    found = [(row.encoder, row.output) for row in chosen]
    assert found == [('bdq', 'soft'), ('bdq', 'hard'), ('d', 'hard')]


def test_an_unknown_table() -> None:
    with pytest.raises(ValueError, match="no table 'mine'"):
        make_table('mine', [])
