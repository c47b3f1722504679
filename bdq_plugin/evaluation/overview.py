"""README's table: each form of each encoder in a row, by the strongest attacker of any panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from ..markdown import table
from .pooling import PooledResult
from .tables import estimate_cell, percent

# By their names in the results, in the order of the table. Results of an encoder that does not
# stand here are an error, so that none is left out by oversight.
ENCODERS = (
    'pass_through',
    'd_untrained',
    'bdq_untrained',
    'bdq_ixmas_take3',
    'bdq_released_untrained',
    'bdq_hard_untrained',
    'bdq_hard_ixmas_take3',
    'sign_16_untrained',
    'sign_2_untrained',
    'blocks_untrained',
    'blocks_noise_untrained',
    'blocks_geometry_untrained',
    'blocks_noise_geometry_untrained',
)
LINKED = 12
_NOTE = (
    'In %, with 95 % intervals by resampling people and their performances. Strongest attacker: '
    'the maximum over the panels that have most folds; in brackets its panel. A panel of fewer '
    'folds may have found more: docs/audit.md and docs/experiments.md have each. '
    f'{LINKED} linked: by that attacker, where {LINKED} clips are known to be of one person. '
    'Folds: those that were audited, of three; rows of other folds or panels are not to be '
    'compared closely. Action: by a network that is trained on the output, where the panel has '
    'one, the best of them. kbit/s: of the codes of all clips as `.bdq` files, where whole levels '
    'in a fixed range leave a camera. ‡ no witness: its recipe fails on clear video.'
)


def overview_table(rows: Sequence[PooledResult], kbit_s: Mapping[str, float]) -> str:
    """The table in Markdown; encoders without results are named below it.

    Args:
        rows: of one data set and protocol, of any panels.
        kbit_s: kilobits a second of an encoder's codes, by its name in the results.

    Raises:
        ValueError: results of an encoder that :data:`ENCODERS` lacks.
    """
    unknown = sorted({row.encoder for row in rows} - set(ENCODERS))
    if unknown:
        raise ValueError(
            f'there are results of {", ".join(unknown)}: add them to ENCODERS of '
            'bdq_plugin/evaluation/overview.py, or move the results away'
        )
    if not rows:
        return 'No results yet.\n'
    cells = []
    for name, output in product(ENCODERS, ('soft', 'hard')):
        found = [row for row in rows if (row.encoder, row.output) == (name, output)]
        if found:
            cells.append(_cells(found, kbit_s.get(name) if output == 'hard' else None))
    audited = {row.encoder for row in rows}
    missing = [name for name in ENCODERS if name not in audited]
    head = ['encoder', 'output', 'strongest attacker', 'by', f'{LINKED} linked', 'folds']
    note = _NOTE + (f' Not audited yet: {", ".join(missing)}.' if missing else '')
    return f'{table([*head, "action", "kbit/s"], [*cells, _chance(rows)])}\n\n{note}\n'


def _cells(found: Sequence[PooledResult], kbit_s: float | None) -> list[str]:
    """Of one form under several panels: more folds count before a higher figure."""
    row = max(found, key=lambda row: (len(row.folds), row.leakage.value))
    linked = [each for each in row.accumulation((LINKED,)) if each.clips == LINKED]
    actions = [each.action for each in found if each.folds == row.folds and each.action]
    return [
        row.encoder,
        row.output,
        estimate_cell(row.leakage) + ('' if row.strongest in row.witnesses else '‡'),
        f'{row.strongest} ({row.panel})',
        percent(linked[0].value) if linked else '',
        ', '.join(map(str, row.folds)),
        percent(max(each.value for each in actions)) if actions else '',
        '' if kbit_s is None else f'{kbit_s:.1f}',
    ]


def _chance(rows: Sequence[PooledResult]) -> list[str]:
    chance = percent(rows[0].leakage.chance)
    actions = [row.action.chance for row in rows if row.action]
    return ['chance', '', chance, '', chance, '', percent(actions[0]) if actions else '', '']
