"""Action against privacy: every audited encoder a point."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from ..evaluation.pareto import as_points, contenders, pareto_front
from ..evaluation.pooling import PooledResult
from .style import COLORS, NEUTRAL, look

_MARKS = {'soft': 'o', 'hard': 's'}


def tradeoff(rows: Sequence[PooledResult]) -> Figure:
    """Action accuracy against that of the strongest attacker, with intervals over people.

    The ideal is at the top left: everything of the action, chance for the person. A mark is hollow
    where no attacker is a witness, whose recipe names people in clear video: its failure says
    nothing, and the mark is not in the front (:func:`~bdq_plugin.evaluation.pareto.contenders`). A
    line joins the two forms of an encoder.

    Args:
        rows: pooled results of one data set, protocol and panel.

    Raises:
        ValueError: no row has an action network, or the rows are not comparable.
    """
    rows = [row for row in rows if row.action is not None]
    if not rows:
        raise ValueError('no audit result with an action network: run tools/audit.py first')
    kinds = {(row.data, row.protocol, row.panel) for row in rows}
    if len(kinds) > 1:
        raise ValueError(f'one figure shows one data set, protocol and panel, got {sorted(kinds)}')
    figures = {row.leakage.figure for row in rows}
    if 'cmap' in figures and len(figures) > 1:
        raise ValueError('cMAP of attributes and accuracy of people cannot share an axis')
    with look():
        figure, axis = plt.subplots(figsize=(5.6, 4.9), layout='constrained')
        colors = _colors(rows)
        for row in rows:
            _draw_point(axis, row, colors[row.encoder])
        for name, color in colors.items():
            xs, ys = zip(*(_percent(row) for row in rows if row.encoder == name), strict=True)
            axis.plot(xs, ys, color=color, lw=1.2, zorder=1.5, gid='forms')
        _draw_front(axis, rows)
        _draw_ideal(axis, rows)
        _frame(axis, rows)
        # Labels are placed in pixels, so the axes must have their final place first.
        figure.draw_without_rendering()
        figure.set_layout_engine('none')
        _place_labels(axis, rows, colors)
    return figure


def _percent(row: PooledResult) -> tuple[float, float]:
    return 100 * row.leakage.value, 100 * row.action.value


def _colors(rows: Sequence[PooledResult]) -> dict[str, str]:
    names = dict.fromkeys(row.encoder for row in rows)
    return {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}


def _draw_point(axis: Axes, row: PooledResult, color: str) -> None:
    x, y = _percent(row)
    leak, action = row.leakage.interval, row.action.interval
    axis.errorbar(
        x,
        y,
        xerr=[[x - 100 * leak.low], [100 * leak.high - x]],
        yerr=[[y - 100 * action.low], [100 * action.high - y]],
        fmt=_MARKS[row.output],
        color=color,
        mfc=color if row.evidence_of_privacy else 'white',
        ms=6,
        elinewidth=0.7,
        ecolor=(*to_rgb(color), 0.45),
        label=f'{row.encoder} ({row.output})',
        gid='point',
    )


def _draw_front(axis: Axes, rows: Sequence[PooledResult]) -> None:
    rows = contenders(rows)
    if not rows:
        return
    front = sorted(_percent(rows[i]) for i in pareto_front(as_points(rows)))
    # Steps: between two points of the front nothing is known to be reachable.
    xs, ys = zip(*front, strict=True)
    axis.step(xs, ys, where='post', color='black', lw=0.9, ls='--', zorder=1.8, gid='front')


def _draw_ideal(axis: Axes, rows: Sequence[PooledResult]) -> None:
    chance = 100 * rows[0].leakage.chance
    axis.axvline(chance, color=NEUTRAL, lw=0.8, ls=':')
    axis.plot(chance, 100, '*', color='black', ms=13, clip_on=False, zorder=5, gid='ideal')


def _frame(axis: Axes, rows: Sequence[PooledResult]) -> None:
    chance = 100 * rows[0].leakage.chance
    lowest_x = min(chance, *(100 * row.leakage.interval.low for row in rows))
    lowest_y = min(100 * row.action.interval.low for row in rows)
    axis.set_xlim(max(0, lowest_x - 4), 102)
    axis.set_ylim(max(0, lowest_y - 6), 101.5)
    unit = 'cMAP' if rows[0].leakage.figure == 'cmap' else 'accuracy'
    axis.set_xlabel(f'person: {unit} of the strongest attacker (%)  ← more private')
    axis.set_ylabel('action: accuracy (%)')
    first = rows[0]
    axis.set_title(f'{first.data}, {first.protocol}, panel {first.panel}', loc='left')
    axis.legend(handles=_legend(rows), loc='upper left', bbox_to_anchor=(0, -0.13), ncols=3,
                fontsize=8, handletextpad=0.3, columnspacing=1.2)  # fmt: skip


def _legend(rows: Sequence[PooledResult]) -> list[Line2D]:
    def mark(shape: str, label: str, **style: object) -> Line2D:
        return Line2D([], [], ls='', marker=shape, color=NEUTRAL, label=label, **style)

    outputs = {row.output for row in rows}
    handles = [mark(shape, name) for name, shape in _MARKS.items() if name in outputs]
    if not all(row.evidence_of_privacy for row in rows):
        handles.append(mark('o', 'no witness among the attackers', mfc='white'))
    if len(outputs) > 1:
        handles.append(Line2D([], [], color=NEUTRAL, lw=1.2, label='one encoder'))
    handles.append(Line2D([], [], color='black', lw=0.9, ls='--', label='Pareto front'))
    handles.append(mark('*', 'ideal', ms=10, mfc='black', mec='black'))
    return [*handles, Line2D([], [], color=NEUTRAL, lw=0.8, ls=':', label='chance')]


# ------------------------------------------------------------------ labels
def _place_labels(axis: Axes, rows: Sequence[PooledResult], colors: dict[str, str]) -> None:
    """Name each encoder once, beside its first mark, where the name covers nothing."""
    renderer = axis.figure.canvas.get_renderer()
    marks = [axis.transData.transform(_percent(row)) for row in rows]
    marked = [_around(x, y, 6) for x, y in marks]
    marked.append(_around(*axis.transData.transform((100 * rows[0].leakage.chance, 100)), 9))
    bars = [bar for row in rows for bar in _bars(axis, row)]
    first = {row.encoder: mark for row, mark in reversed(list(zip(rows, marks, strict=True)))}
    names: list[Bbox] = []
    leaders: list[Path] = []
    for name, mark in first.items():
        text = axis.annotate(
            name,
            mark,
            xycoords='figure pixels',
            xytext=(0, 0),
            textcoords='offset pixels',
            color=_darkened(colors[name]),
            fontsize=8,
            ha='center',
            va='center',
            gid='label',
            arrowprops=dict(arrowstyle='-', color=colors[name], lw=0.5, shrinkA=0, shrinkB=4),
        )
        size = text.get_window_extent(renderer)
        place = mark, size.width, size.height, axis.bbox, names, leaders
        # Where there is no room beside the intervals, a label may lie on them, but not on a mark.
        offset = _free_offset(*place, [*marked, *bars]) or _free_offset(*place, marked) or (0, 10)
        # An anchor in pixels would be wrong at another resolution.
        text.xy, text.xycoords = axis.transData.inverted().transform(mark), 'data'
        scale = 72 / axis.figure.dpi
        text.set_position((offset[0] * scale, offset[1] * scale))
        text.set_anncoords('offset points')
        names.append(_box(mark, offset, size.width, size.height))
        leaders.append(Path([mark, mark + offset]))


def _darkened(color: str) -> tuple[float, ...]:
    """Thin letters in the pale colours would not be read on paper."""
    return tuple(0.65 * channel for channel in to_rgb(color))


def _free_offset(
    mark: np.ndarray,
    width: float,
    height: float,
    inside: Bbox,
    names: Sequence[Bbox],
    leaders: Sequence[Path],
    taken: Sequence[Bbox],
) -> tuple[float, float] | None:
    """The nearest place around a mark where a label overlaps nothing, in pixels from it.

    Args:
        mark: where it belongs, in pixels.
        width, height: of the label.
        inside: where it must be.
        names, leaders: the labels that are placed, and the lines from them to their marks: neither
            may cross those of another.
        taken: what else it must not cover.
    """
    for radius in range(10, 160, 6):
        for angle in np.deg2rad([45, 315, 135, 225, 0, 180, 90, 270]):
            offset = (np.cos(angle) * (width / 2 + radius), np.sin(angle) * (height / 2 + radius))
            box, leader = _box(mark, offset, width, height), Path([mark, mark + offset])
            within = (
                inside.x0 <= box.x0
                and box.x1 <= inside.x1 + 4
                and inside.y0 <= box.y0
                and box.y1 <= inside.y1
            )
            if (
                within
                and not box.count_overlaps([*names, *taken])
                and not any(leader.intersects_bbox(name) for name in names)
                and not any(other.intersects_bbox(box) for other in leaders)
            ):
                return offset
    return None


def _box(mark: np.ndarray, offset: tuple[float, float], width: float, height: float) -> Bbox:
    x, y = mark[0] + offset[0], mark[1] + offset[1]
    return Bbox.from_extents(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _bars(axis: Axes, row: PooledResult) -> list[Bbox]:
    """Where the two intervals of a point are drawn."""
    x, y = _percent(row)
    leak, action = row.leakage.interval, row.action.interval
    ends = [
        [(100 * leak.low, y), (100 * leak.high, y)],
        [(x, 100 * action.low), (x, 100 * action.high)],
    ]
    return [Bbox(axis.transData.transform(pair)).padded(1) for pair in ends]


def _around(x: float, y: float, margin: float) -> Bbox:
    return Bbox.from_extents(x - margin, y - margin, x + margin, y + margin)
