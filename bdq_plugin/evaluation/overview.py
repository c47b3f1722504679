"""README's table: each form of each encoder in a row, by the strongest attacker of any panel."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..markdown import table
from .pooling import CLEAR, Pooled, PooledResult
from .statistics import Accumulation, Estimate
from .tables import estimate_cell, listed, percent

# By their names in the results, in the order of the table. Results of an encoder that does not
# stand here are an error, so that none is left out by oversight.
ENCODERS = (
    'pass_through',
    'blur_weak',
    'blur_strong',
    'pixelate_4',
    'pixelate_16',
    'ryoo_16',
    'ryoo_32',
    'ryoo_64',
    'd_untrained',
    'bdq_untrained',
    'bdq',
    'bdq_ixmas_take3',
    'bdq_released_untrained',
    'bdq_released',
    'bdq_hard_untrained',
    'bdq_hard',
    'bdq_hard_ixmas_take3',
    'sign_16_untrained',
    'sign_16',
    'sign_2_untrained',
    'sign_2',
    'blocks_untrained',
    'blocks_noise_untrained',
    'blocks_geometry_untrained',
    'blocks_noise_geometry_untrained',
    'blocks_searched_48x64',
    'blocks_every4_48x64',
    'blocks_every4_game',
    'noisy_blocks_every4_48x64',
)
LINKED = 12
# The negative control that is the floor: what the action itself tells of the person.
_FLOOR = 'scores'
_NOTE = (
    'In %, with 95 % intervals by resampling people and their performances. Strongest attacker: '
    'the maximum over the panels that have most folds; in brackets its panel. A panel of fewer '
    'folds may have found more: docs/audit.md and docs/experiments.md have each. '
    f'{LINKED} linked: by that attacker, where {LINKED} clips are known to be of one person. '
    'Folds: those that were audited, of three; rows of other folds or panels are not to be '
    'compared closely. Action: by a network that is trained on the output, where the panel has '
    'one, the best of them. kbit/s: of the codes of all clips as `.bdq` files, where whole levels '
    'in a fixed range leave a camera. ‡ no witness: its recipe fails on clear video. Floor: by '
    'the scores that an action network of clear video gives; who can tell the action can tell this.'
)


class Headline(NamedTuple):
    """The figures that stand for one form of an encoder.

    Attributes:
        row: of the panels with most folds, the one that found most.
        acting: of the panels with these folds, the one whose action network is the best; None
            where none has one.
    """

    row: PooledResult
    acting: PooledResult | None

    @property
    def action(self) -> Pooled | None:
        """Figure of that network."""
        return self.acting.action if self.acting else None


class Floor(NamedTuple):
    """What the scores that an action network of clear video gives tell of the person."""

    row: PooledResult
    person: Estimate
    linked: Accumulation | None


def headlines(rows: Sequence[PooledResult]) -> list[Headline]:
    """One for each form of each encoder: more folds count before a higher figure.

    Args:
        rows: of the same test clips, of any panels.
    """
    groups: dict[tuple[str, str], list[PooledResult]] = {}
    for row in rows:
        groups.setdefault((row.encoder, row.output), []).append(row)
    found = []
    for group in groups.values():
        row = max(group, key=lambda row: (len(row.folds), row.leakage.value))
        acting = [each for each in group if each.folds == row.folds and each.action]
        best = max(acting, key=lambda each: each.action.value, default=None)
        found.append(Headline(row, best))
    return found


def floor_of(rows: Sequence[PooledResult]) -> Floor | None:
    """Of the panel that measured it on most folds; None where none did."""
    having = [row for row in rows if row.encoder == CLEAR and _FLOOR in row.controls]
    if not having:
        return None
    row = max(having, key=lambda row: len(row.folds))
    return Floor(row, row.controls[_FLOOR], linked(row, _FLOOR))


def read_rates(path: str | os.PathLike) -> dict[str, float]:
    """Kilobits a second by encoder, of ``python -m benchmarks.run rates``; none without a file."""
    path = Path(path)
    rows = json.loads(path.read_text())['rows'] if path.is_file() else []
    return {row['encoder']: row['kbit_s'] for row in rows}


def linked(row: PooledResult, control: str | None = None) -> Accumulation | None:
    """Accuracy where :data:`LINKED` clips are known to be of one person; None for fewer clips."""
    return next(iter(row.accumulation((LINKED,), control)), None)


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
    ordered = sorted(headlines(rows), key=lambda each: _place(each.row))
    cells = [_cells(each, kbit_s) for each in ordered] + _floor_cells(rows)
    audited = {row.encoder for row in rows}
    missing = [name for name in ENCODERS if name not in audited]
    head = ['encoder', 'output', 'strongest attacker', 'by', f'{LINKED} linked', 'folds']
    note = _NOTE + (f' Not audited yet: {", ".join(missing)}.' if missing else '')
    return f'{table([*head, "action", "kbit/s"], [*cells, _chance(rows)])}\n\n{note}\n'


def _place(row: PooledResult) -> tuple[int, bool]:
    return ENCODERS.index(row.encoder), row.output == 'hard'


def _cells(headline: Headline, kbit_s: Mapping[str, float]) -> list[str]:
    row, action = headline.row, headline.action
    rate = kbit_s.get(row.encoder) if row.output == 'hard' else None
    return [
        row.encoder,
        row.output,
        estimate_cell(row.leakage) + ('' if row.strongest in row.witnesses else '‡'),
        f'{row.strongest} ({row.panel})',
        _linked_cell(linked(row)),
        listed(row.folds),
        percent(action.value) if action else '',
        '' if rate is None else f'{rate:.1f}',
    ]


def _floor_cells(rows: Sequence[PooledResult]) -> list[list[str]]:
    floor = floor_of(rows)
    if floor is None:
        return []
    figures = [estimate_cell(floor.person), '', _linked_cell(floor.linked), listed(floor.row.folds)]
    return [['floor', '', *figures, '', '']]


def _linked_cell(figure: Accumulation | None) -> str:
    return percent(figure.value) if figure else ''


def _chance(rows: Sequence[PooledResult]) -> list[str]:
    chance = percent(rows[0].leakage.chance)
    actions = [row.action.chance for row in rows if row.action]
    return ['chance', '', chance, '', chance, '', percent(actions[0]) if actions else '', '']
