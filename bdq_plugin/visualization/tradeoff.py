"""Action against privacy: every audited encoder a row, with what linked clips add."""

from __future__ import annotations

import re
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..evaluation.overview import LINKED, Floor, Headline, floor_of, headlines, linked
from ..evaluation.pareto import pareto_front
from ..evaluation.pooling import Pooled, PooledResult, audited_on
from ..evaluation.statistics import Accumulation, Estimate
from .style import COLORS, NEUTRAL, look

# Of names in the results.
_FAMILIES = (
    (r'pass_through', 'clear video', COLORS[6]),
    (r'(ryoo|blur|pixelate)_', 'fewer pixels', COLORS[1]),
    (r'blocks', 'coarse blocks', COLORS[2]),
    (r'(b?d?q?|bdq_.*|sign_\d+.*)(_untrained)?$', 'BDQ and its parts', COLORS[0]),
    (r'', 'others', COLORS[3]),
)
# One clip lies above the line of its encoder, linked ones below it.
_LANE = 0.17


def tradeoff(rows: Sequence[PooledResult]) -> Figure:
    """What the strongest attacker tells of the person, beside what is told of the action.

    The best is at the bottom left and right: chance for the person, everything of the action. A
    name is bold where no other encoder with a network for the action has less of the person and as
    much of the action; rows without a witness, an attacker whose recipe names people in clear
    video, are not counted there, and their marks are crosses, for their failure says nothing. The
    floor is what the scores of an action network tell
    (:func:`~bdq_plugin.evaluation.overview.floor_of`).

    Args:
        rows: pooled results of one data set and protocol. Of several panels
            :func:`~bdq_plugin.evaluation.overview.headlines` chooses.

    Raises:
        ValueError: there is none, or they are not comparable.
    """
    if not rows:
        raise ValueError('no audit result: run tools/audit.py first')
    kinds = {audited_on(row) for row in rows}
    if len(kinds) > 1:
        raise ValueError(f'one figure shows one data set and protocol, got {sorted(kinds)}')
    if len({row.leakage.figure for row in rows}) > 1:
        raise ValueError('cMAP of attributes and accuracy of people cannot share an axis')
    shown = sorted(headlines(rows), key=lambda each: -each.row.leakage.value)
    floor = floor_of(rows)
    with look():
        figure, (person, action) = plt.subplots(
            1, 2, figsize=(8.4, 1.5 + 0.3 * (len(shown) + 1)), sharey=True, layout='constrained',
            width_ratios=[2, 1],
        )  # fmt: skip
        for place, headline in enumerate(shown):
            row, told = headline.row, headline.action
            color = _family(row)[1]
            mark = 'o' if row.evidence_of_privacy else 'x'
            _draw(person, place, row.leakage, linked(row), color, mark)
            if told is not None:
                _draw(action, place, told, None, color, 'o')
        if floor is not None:
            _draw(person, len(shown), floor.person, floor.linked, NEUTRAL, '|')
        _frame(person, action, shown, floor)
        figure.legend(
            handles=_legend(shown),
            loc='outside lower center',
            ncols=4,
            fontsize=8,
            columnspacing=1.4,
        )
    return figure


def _family(row: PooledResult) -> tuple[str, str]:
    """Its name and its colour."""
    return next((n, c) for pattern, n, c in _FAMILIES if re.match(pattern, row.encoder))


def _draw(
    axis: Axes,
    place: int,
    figure: Pooled | Estimate,
    of_linked: Accumulation | None,
    color: str,
    mark: str,
) -> None:
    """A mark on its interval; where there are linked clips, theirs below it."""
    lanes = [(figure, 0.0, color)]
    if of_linked is not None:
        lanes = [(figure, -_LANE, color), (of_linked, _LANE, 'white')]
    for each, shift, fill in lanes:
        low, high = 100 * each.interval.low, 100 * each.interval.high
        y = place + shift
        axis.plot(
            [low, high], [y, y], color=color, lw=5, alpha=0.25, solid_capstyle='butt',
            gid='interval',
        )  # fmt: skip
        shape = 'D' if fill == 'white' and mark == 'o' else mark
        axis.plot(100 * each.value, y, shape, color=color, mfc=fill, ms=5, gid='mark')


def _frame(person: Axes, action: Axes, shown: Sequence[Headline], floor: Floor | None) -> None:
    first, front = shown[0].row, _front(shown)
    names = _names(shown)
    if floor is not None:
        names.append("floor: the action's scores alone")
    person.set_yticks(range(len(names)), names, fontsize=8)
    for label, (row, _) in zip(person.get_yticklabels(), shown, strict=False):
        label.set_color(_family(row)[1])
        label.set_fontweight('bold' if id(row) in front else 'normal')
    person.set_ylim(len(names) - 0.4, -0.6)
    person.axvline(100 * first.leakage.chance, color=NEUTRAL, lw=0.8, ls=':', gid='chance')
    unit = 'cMAP' if first.leakage.figure == 'cmap' else 'accuracy'
    person.set(xlim=(0, 101.5), xlabel=f'person: {unit} of the strongest attacker (%)')
    measured = [each.action for each in shown if each.action is not None]
    if measured:
        action.axvline(100 * measured[0].chance, color=NEUTRAL, lw=0.8, ls=':', gid='chance')
    action.set(xlim=(0, 101.5), xlabel='action: accuracy (%)')
    for axis in (person, action):
        axis.grid(visible=False, axis='y')
        axis.tick_params(axis='y', length=0)
    data, protocol = audited_on(first)
    panels = ', '.join(dict.fromkeys(each.row.panel for each in shown))
    person.figure.suptitle(f'{data}, protocol {protocol}, panel {panels}', fontsize=9)
    person.set_title('← more private', loc='left')
    action.set_title('more useful →', loc='right')


def _names(shown: Sequence[Headline]) -> list[str]:
    """Each row's encoder and form; its panel and folds where they differ from another row's."""
    panels = {each.row.panel for each in shown}
    most = max(len(each.row.folds) for each in shown)
    names = []
    for row in (each.row for each in shown):
        parts = [f'{row.encoder}, {row.output}']
        if len(panels) > 1:
            parts.append(row.panel)
        if len(row.folds) < most:
            parts.append(f'fold{"s" * (len(row.folds) > 1)} {" and ".join(map(str, row.folds))}')
        names.append(', '.join(parts))
    return names


def _front(shown: Sequence[Headline]) -> set[int]:
    """The rows that no other one beats in both."""
    counted = [each for each in shown if each.action and each.row.evidence_of_privacy]
    points = [(each.action.value, each.row.leakage.value) for each in counted]
    return {id(counted[i].row) for i in pareto_front(points)}


def _legend(shown: Sequence[Headline]) -> list[Line2D | Patch]:
    def mark(shape: str, label: str, color: str = NEUTRAL, **style: object) -> Line2D:
        return Line2D([], [], ls='', marker=shape, color=color, label=label, ms=5, **style)

    bold = Line2D([], [], ls='', label='bold: none beats it in both')
    present = {_family(row)[0] for row, _ in shown}
    handles = [mark('s', name, color) for _, name, color in _FAMILIES if name in present]
    handles.append(mark('o', 'one clip'))
    if any(linked(row) for row, _ in shown):
        handles.append(mark('D', f'{LINKED} linked clips of one person', mfc='white'))
    if not all(row.evidence_of_privacy for row, _ in shown):
        handles.append(mark('x', 'no witness among the attackers'))
    handles.append(Patch(color=NEUTRAL, alpha=0.25, lw=0, label='95 % intervals'))
    handles.append(Line2D([], [], color=NEUTRAL, lw=0.8, ls=':', label='chance'))
    return [*handles, bold] if _front(shown) else handles
