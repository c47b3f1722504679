"""What conditions before the encoder do: the audits of ``DATA`` and of ``DATA_CONDITION``."""

from __future__ import annotations

from collections.abc import Sequence

from ..markdown import table
from .overview import ENCODERS, LINKED, linked
from .pooling import PooledResult
from .tables import estimate_cell, listed, percent

PANEL = 'conditions'
_NOTE = (
    'In %, by hand-made features that learn from clips under the same condition, with 95 % '
    'intervals by resampling people and their performances. Person: named in one clip, and where '
    f'{LINKED} clips are known to be of one person. Folds: those that test.'
)


def conditions_table(rows: Sequence[PooledResult], data: str, protocol: str) -> str:
    """Encoders under each condition.

    Args:
        rows: pooled results of any data, panel and protocol.
        data: name of the data config without a condition; ``DATA_shaking`` is ``DATA`` under one.
        protocol: of the results.
    """
    wanted = [row for row in rows if row.panel == PANEL and row.protocol == protocol]
    found = {
        (row.encoder, row.data.removeprefix(data).removeprefix('_')): row
        for row in wanted
        if row.data == data or row.data.startswith(f'{data}_')
    }
    if not found:
        return 'No results yet.\n'
    cells = [
        [
            encoder,
            condition or 'none',
            estimate_cell(row.leakage),
            percent(together.value) if (together := linked(row)) else '',
            estimate_cell(row.action) if row.action else '',
            listed(row.folds),
        ]
        for (encoder, condition), row in sorted(found.items(), key=_place)
    ]
    head = ['encoder', 'condition', 'person', f'{LINKED} linked', 'action', 'folds']
    return f'{table(head, cells)}\n\n{_NOTE}\n'


def _place(item: tuple[tuple[str, str], PooledResult]) -> tuple[int, str]:
    encoder, condition = item[0]
    return (ENCODERS.index(encoder) if encoder in ENCODERS else len(ENCODERS)), condition
