"""Markdown tables of pooled results, and the README sections they stand in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .comparison import EXPERIMENTS, Entry
from .pareto import as_points, contenders, hypervolume, pareto_front
from .pooling import Pooled, PooledResult

Table = Callable[[Sequence[PooledResult]], str]

_SECTION = re.compile(
    r'(<!-- table:(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- /table -->)', re.DOTALL
)
_FOOTNOTE = (
    'In %. Most leaked: the maximum over the attackers, with its Wilson 95 % interval over the '
    'distinct test clips. † did not learn its training clips in every run, so it is no evidence of '
    'privacy.'
)


def audit_table(rows: Sequence[PooledResult]) -> str:
    """Rows of encoders, columns of networks: action, then each attacker, then the maximum."""
    if not rows:
        return 'No results yet.\n'
    networks = list(dict.fromkeys(name for row in rows for name in row.networks))
    head = ['encoder', 'output', 'runs']
    for name in networks:
        head += _columns(name, _example(rows, name))
    lines = [_line([*head, 'most leaked']), _line(['---'] * (len(head) + 1))]
    for row in rows:
        shuffle = ' (shuffled)' if '_shuffled' in row.data else ''
        cells = [row.encoder + shuffle, row.output, f'{len(row.folds)} x {len(row.seeds)}']
        for name in networks:
            cells += _cells(row.networks.get(name), _example(rows, name))
        lines.append(_line([*cells, _headline(row)]))
    lines.append(_line(_chance_cells(rows, networks)))
    lines += ['', _FOOTNOTE + ' Runs: folds x seeds.']
    for name in networks:
        lines += _extras_table(rows, name)
    return '\n'.join(lines) + '\n'


def alpha_table(rows: Sequence[PooledResult]) -> str:
    """The audit table of an alpha sweep, with its Pareto front and hyper-volume."""
    table, counted = audit_table(rows), contenders(rows)
    if not rows:
        return table
    if not counted:
        return f'{table}\nNo Pareto front: of no row did an attacker learn its training clips.\n'
    points, first = as_points(counted), counted[0]
    front = ', '.join(f'{counted[i].encoder} ({counted[i].output})' for i in pareto_front(points))
    volume = hypervolume(points, worst=(first.action.chance, 1.0), best=(1.0, first.leakage.chance))
    return (
        f'{table}\nPareto front (action against most leaked): {front}. Hyper-volume '
        f'{volume:.3f}, where 1 is perfect action at chance for the person and 0 is chance for the '
        'action. Rows of which no attacker learned its training clips count in neither.\n'
    )


def select(
    rows: Sequence[PooledResult], entries: Sequence[Entry], panel: str
) -> list[PooledResult]:
    """The rows of a list of encoders in its order, soft before hard."""
    chosen = []
    for entry in entries:
        for output in ('soft', 'hard'):
            chosen += [
                row
                for row in rows
                if (row.encoder, row.output, row.panel) == (entry.name, output, panel)
                and ('_shuffled' in row.data) == (entry.chunk_len is not None)
            ]
    return chosen


def make_table(name: str, rows: Sequence[PooledResult]) -> str:
    """The table of an experiment, or ``'audit'``, all encoders under the quick panel.

    Raises:
        ValueError: no such table.
    """
    if name == 'audit':
        ordered = [row for row in rows if row.panel == 'quick' and '_shuffled' not in row.data]
        return audit_table(ordered)
    if name not in EXPERIMENTS:
        raise ValueError(f"no table '{name}': choose audit, {', '.join(EXPERIMENTS)}")
    panel = 'full' if name == 'full' else 'quick'
    chosen = select(rows, EXPERIMENTS[name], panel)
    return alpha_table(chosen) if name == 'alpha' else audit_table(chosen)


def fill(text: str, make: Callable[[str], str]) -> str:
    """Replace what stands between ``<!-- table:NAME -->`` and ``<!-- /table -->``.

    Args:
        text: Markdown with such places.
        make: gives the table of a name.
    """
    return _SECTION.sub(lambda match: match[1] + make(match['name']) + '<!-- /table -->', text)


def table_names(text: str) -> list[str]:
    """Names of the tables that a text has a place for."""
    return [match['name'] for match in _SECTION.finditer(text)]


def _extras_table(rows: Sequence[PooledResult], name: str) -> list[str]:
    """What a network gives beside its accuracy, such as the PSNR of restored frames."""
    keys = list(_example(rows, name).extras)
    if not keys:
        return []
    titles = [
        key.replace('_', ' ').replace('psnr db', 'PSNR (dB)').replace('ssim', 'SSIM')
        for key in keys
    ]
    lines = ['', _line([name, 'output', *titles]), _line(['---'] * (len(keys) + 2))]
    for row in rows:
        if name in row.networks:
            extras = row.networks[name].extras
            lines.append(_line([row.encoder, row.output, *(f'{extras[key]:.2f}' for key in keys)]))
    return lines


def _example(rows: Sequence[PooledResult], name: str) -> Pooled:
    return next(row.networks[name] for row in rows if name in row.networks)


def _columns(name: str, figure: Pooled) -> list[str]:
    return [name] if figure.frame_top1 is None else [f'{name}, single', f'{name}, vote']


def _cells(figure: Pooled | None, example: Pooled) -> list[str]:
    if figure is None:
        return ['-'] * (1 if example.frame_top1 is None else 2)
    mark = '' if figure.learned == figure.runs else '†'
    frame = [] if figure.frame_top1 is None else [_percent(figure.frame_top1)]
    return [*frame, _percent(figure.value) + mark]


def _headline(row: PooledResult) -> str:
    figure = row.leakage
    low, high = _percent(figure.interval.low), _percent(figure.interval.high)
    text = f'{_percent(figure.value)} ({low} to {high}), {row.strongest}'
    return text if row.evidence_of_privacy else text + '; no attacker learned'


def _chance_cells(rows: Sequence[PooledResult], networks: Sequence[str]) -> list[str]:
    cells = ['chance / majority', '', '']
    for name in networks:
        figure = _example(rows, name)
        text = f'{_percent(figure.chance)} / {_percent(figure.majority)}'
        cells += [text] * (1 if figure.frame_top1 is None else 2)
    figure = rows[0].leakage
    return [*cells, f'{_percent(figure.chance)} / {_percent(figure.majority)}']


def _percent(share: float) -> str:
    return f'{100 * share:.1f}'


def _line(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'
