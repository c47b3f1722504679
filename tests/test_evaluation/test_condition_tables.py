"""The table of conditions: a row each, the plain one first, and nothing of other data or panels."""

from bdq_plugin.evaluation.condition_tables import conditions_table
from bdq_plugin.evaluation.pooling import pool

from .test_overview import named


def under(data: str, right: int, name: str = 'bdq_hard_untrained', panel: str = 'conditions'):
    result = named(name, right, panel=panel)
    result['cell']['data'] = data
    return result


def test_a_row_for_each_encoder_and_condition() -> None:
    protocol = under('ixmas', 1)['cell']['protocol']
    rows = pool(
        [
            under('ixmas_slow', 12),
            under('ixmas', 8),
            under('ixmas_far', 4, 'blocks_noise_untrained'),
            under('ixmas', 6, panel='templates'),
            under('kth_slow', 2),
            under('ixmas_slow', 2, 'pass_through'),
        ]
    )
    text = conditions_table(rows, 'ixmas', protocol)
    cells = [line[2:-2].split(' | ') for line in text.splitlines() if line.startswith('|')][2:]
    assert [(row[0], row[1], row[2].split()[0]) for row in cells] == [
        ('pass_through', 'slow', '10.0'),
        ('bdq_hard_untrained', 'none', '40.0'),
        ('bdq_hard_untrained', 'slow', '60.0'),
        ('blocks_noise_untrained', 'far', '20.0'),
    ]
    assert all(row[4].startswith('80.0 (') and row[5] == '1' for row in cells)


def test_without_results() -> None:
    assert conditions_table([], 'ixmas', 'take') == 'No results yet.\n'
