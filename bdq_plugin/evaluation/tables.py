"""Markdown tables of pooled results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..markdown import table
from .comparison import EXPERIMENTS, Entry
from .controls import OF_RECOGNITION
from .pareto import as_points, contenders, hypervolume, pareto_front
from .pooling import Pooled, PooledResult
from .statistics import Accumulation, Estimate, LearningPoint

Table = Callable[[Sequence[PooledResult]], str]

_FOOTNOTE = (
    'In %, with 95 % intervals by resampling people and their performances. Most leaked: the '
    'maximum over the attackers. Chosen: the attacker that the training clips chose, without a '
    "look at the test. Clear: what the strongest attacker's recipe reaches on clear video of the "
    'same folds; below {control_from} % it is no witness (‡). {linked} linked: accuracy where '
    '{linked} clips are known to be of one person. Bits: a lower bound of the information about '
    'the person in a clip. Worst: the person named most often. Runs: folds x seeds.'
)


def audit_table(rows: Sequence[PooledResult]) -> str:
    """Rows of encoders: action, what leaks to whom, what accumulates."""
    if not rows:
        return 'No results yet.\n'
    linked = _most_linked(rows)
    head = ['encoder', 'output', 'runs', 'action', 'most leaked', 'by', 'chosen', 'clear']
    head += [f'{linked} linked', 'bits', 'worst']
    cells = [_cells(row, linked) for row in rows] + [_chance_cells(rows[0], len(head))]
    note = _FOOTNOTE.format(control_from=f'{100 * rows[0].control_from:g}', linked=linked)
    return f'{table(head, cells)}\n\n{note}\n'


def attackers_table(rows: Sequence[PooledResult]) -> str:
    """Rows of encoders, columns of attackers: test accuracy, and train accuracy in brackets."""
    if not rows:
        return 'No results yet.\n'
    names = list(dict.fromkeys(name for row in rows for name in row.attackers))
    cells = [
        [
            row.encoder,
            row.output,
            *(_attacker_cell(row.attackers.get(name), row.control_from) for name in names),
        ]
        for row in rows
    ]
    left_out = {k: v for row in rows for k, v in row.left_out.items()}
    lines = [
        table(['encoder', 'output', *names], cells),
        '',
        'In %: test (training clips). † stopped before it had learned all that it can. ‡ its '
        'recipe fails on clear video, so that its failure on a code says nothing. All draws: where '
        'an encoder draws, with several encodings of each test clip at hand.',
    ]
    lines += [f'Left out: {name}: {reason}.' for name, reason in left_out.items()]
    for name in names:
        lines += _extras_table(rows, name)
    return '\n'.join(lines) + '\n'


def controls_table(rows: Sequence[PooledResult]) -> str:
    """Rows of encoders, columns of negative controls."""
    rows = [row for row in rows if row.controls]
    if not rows:
        return 'No controls yet.\n'
    names = list(dict.fromkeys(name for row in rows for name in row.controls))
    cells = [
        [
            row.encoder,
            row.output,
            *(estimate_cell(row.controls[n]) if n in row.controls else '' for n in names),
        ]
        for row in rows
    ]
    note = (
        'In % of the test clips whose person is named: by the attacker trained with permuted '
        'names; from the border of the picture alone; from the length of a clip alone; from the '
        'label, scores and features of a recognizer of the action; label_stream: from its labels '
        'with their confidence and duration.'
    )
    return f'{table(["encoder", "output", *names], cells)}\n\n{note}\n'


def recognition_table(rows: Sequence[PooledResult]) -> str:
    """What a recognizer of the action tells of the person, of a clip and of linked ones."""
    rows = [row for row in rows if set(row.controls) & set(OF_RECOGNITION)]
    if not rows:
        return 'No controls yet.\n'
    linked = _most_linked(rows)
    cells = []
    for row in rows:
        for name in (name for name in OF_RECOGNITION if name in row.controls):
            accumulated = row.accumulation((linked,), name)
            cells.append(
                [
                    row.encoder,
                    row.output,
                    listed(row.folds),
                    '' if row.action is None else percent(row.action.value),
                    name,
                    estimate_cell(row.controls[name]),
                    estimate_cell(accumulated[0]) if accumulated else '',
                ]
            )
    head = ['encoder', 'output', 'folds', 'action', 'what leaves', 'person', f'{linked} linked']
    note = (
        'In %, with 95 % intervals by resampling people and their performances. Action: by a '
        'network that learned from all training clips. Person: named from what such a network, '
        'which learned from a part of them, says of a clip: label, the action; label_stream, the '
        'action, its confidence and its duration; scores and features, all that it knows. '
        f'Chance {percent(rows[0].leakage.chance)}.'
    )
    return f'{table(head, cells)}\n\n{note}\n'


def differences_table(rows: Sequence[PooledResult]) -> str:
    """What each encoder leaks more than the one that leaks least, paired by person."""
    rows = [row for row in rows if row.leakage.hits is not None]
    if len(rows) < 2:
        return 'Nothing to compare yet.\n'
    least = min(rows, key=lambda row: row.leakage.value)
    head = ['encoder', 'output', f'more than {least.encoder} ({least.output})', 'shown']
    cells = []
    for row in rows:
        if row is least or row.leakage.hits.ids != least.leakage.hits.ids:
            continue
        difference = row.difference(least)
        shown = 'yes' if difference.excludes_zero else 'no'
        cells.append([row.encoder, row.output, estimate_cell(difference), shown])
    note = 'In points, each encoder by its strongest attacker; shown: the interval excludes 0.'
    return f'{table(head, cells)}\n\n{note}\n'


def alpha_table(rows: Sequence[PooledResult]) -> str:
    """The audit table of an alpha sweep, with its Pareto front and hyper-volume."""
    audit, counted = audit_table(rows), contenders(rows)
    if not rows:
        return audit
    if not counted:
        return f'{audit}\nNo Pareto front: no attacker is a witness.\n'
    points, first = as_points(counted), counted[0]
    front = ', '.join(f'{counted[i].encoder} ({counted[i].output})' for i in pareto_front(points))
    volume = hypervolume(points, worst=(first.action.chance, 1.0), best=(1.0, first.leakage.chance))
    return (
        f'{audit}\nPareto front (action against most leaked): {front}. Hyper-volume '
        f'{volume:.3f}, where 1 is perfect action at chance for the person and 0 is chance for the '
        'action. Rows without a witness count in neither.\n'
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
            ]
    return chosen


KINDS: dict[str, Table] = {
    '': audit_table,
    '_attackers': attackers_table,
    '_controls': controls_table,
    '_recognition': recognition_table,
    '_differences': differences_table,
}


def make_table(name: str, rows: Sequence[PooledResult]) -> str:
    """The table of an experiment, or ``'audit'``, all encoders under the quick panel.

    Args:
        name: ``EXPERIMENT``, or this with one of :data:`KINDS` behind it;
            ``EXPERIMENT@PANEL...`` for another panel than the experiment's own.
        rows: of one data set and protocol.

    Raises:
        ValueError: no such table.
    """
    kind = next((suffix for suffix in list(KINDS)[1:] if name.endswith(suffix)), '')
    stem, _, panel = name.removesuffix(kind).partition('@')
    if stem == 'audit':
        return KINDS[kind]([row for row in rows if row.panel == (panel or 'quick')])
    if stem not in EXPERIMENTS:
        raise ValueError(
            f"no table '{name}': choose audit, {', '.join(EXPERIMENTS)}, alone or followed by "
            f'{", ".join(list(KINDS)[1:])}'
        )
    chosen = select(rows, EXPERIMENTS[stem], panel or ('full' if stem == 'full' else 'quick'))
    return alpha_table(chosen) if name == 'alpha' else KINDS[kind](chosen)


def _cells(row: PooledResult, linked: int) -> list[str]:
    leak, action = row.leakage, row.action
    chosen, information, worst = row.chosen, row.information(), row.worst()
    accumulated = [a for a in row.accumulation((linked,)) if a.clips == linked] if linked else []
    control = '' if leak.control is None else percent(leak.control)
    witness = '' if row.strongest in row.witnesses else '‡'
    return [
        row.encoder,
        row.output,
        f'{len(row.folds)} x {len(row.seeds)}',
        '' if action is None else percent(action.value),
        _with_interval(leak) + witness,
        row.strongest,
        '' if chosen is None else f'{percent(chosen.value)}, {" and ".join(row.chosen_names)}',
        control,
        percent(accumulated[0].value) if accumulated else '',
        '' if information is None else f'{information.value:.2f}',
        '' if worst is None else percent(worst.value),
    ]


def _most_linked(rows: Sequence[PooledResult]) -> int:
    """The largest number of clips of one person that every row can link, 0 for attributes."""
    found = [row.accumulation() for row in rows]
    return min((curve[-1].clips if curve else 0 for curve in found), default=0)


def _attacker_cell(figure: Pooled | None, control_from: float) -> str:
    if figure is None:
        return ''
    text = percent(figure.value)
    if figure.train_accuracy is not None:
        text += f' ({percent(figure.train_accuracy)})'
    if figure.value_of_all is not None:
        text += f', all draws {percent(figure.value_of_all)}'
    if figure.converged < figure.runs:
        text += '†'
    if figure.control is not None and figure.control < control_from:
        text += '‡'
    return text


def _extras_table(rows: Sequence[PooledResult], name: str) -> list[str]:
    """What an attacker gives beside its accuracy, such as the PSNR of restored frames."""
    having = [row for row in rows if name in row.attackers and row.attackers[name].extras]
    if not having:
        return []
    keys = list(having[0].attackers[name].extras)
    titles = [
        key.replace('_', ' ').replace('psnr db', 'PSNR (dB)').replace('ssim', 'SSIM')
        for key in keys
    ]
    cells = [
        [row.encoder, row.output, *(f'{row.attackers[name].extras[key]:.2f}' for key in keys)]
        for row in having
    ]
    return ['', table([name, 'output', *titles], cells)]


def _chance_cells(row: PooledResult, columns: int) -> list[str]:
    leak, action = row.leakage, row.action
    cells = ['chance / majority', '', '']
    cells.append('' if action is None else f'{percent(action.chance)} / {percent(action.majority)}')
    cells.append(f'{percent(leak.chance)} / {percent(leak.majority)}')
    return cells + [''] * (columns - len(cells))


def _with_interval(figure: Pooled) -> str:
    low, high = percent(figure.interval.low), percent(figure.interval.high)
    return f'{percent(figure.value)} ({low} to {high})'


def estimate_cell(estimate: Estimate | LearningPoint | Accumulation) -> str:
    """A share and its interval, in per cent."""
    low, high = percent(estimate.interval.low), percent(estimate.interval.high)
    return f'{percent(estimate.value)} ({low} to {high})'


def listed(numbers: Iterable[int]) -> str:
    """Folds or seeds, as a table names them."""
    return ', '.join(map(str, numbers))


def percent(share: float) -> str:
    """A share in per cent, of one digit behind the point."""
    return f'{100 * share:.1f}'
