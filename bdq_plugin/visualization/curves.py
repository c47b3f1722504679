"""Figures of training: accuracy, runs side by side, and the encoder's own numbers."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..encoders.functional import spread_thresholds
from .logs import RunLog, Series
from .style import ACTION, COLORS, LINES, MARKERS, NEUTRAL, PRIVACY, look, panels

# Role: tags of training (the game's and those of a network by itself), then of validation.
_TRAIN = {
    'action': ('action/top1_acc', 'top1_acc'),
    'privacy': ('privacy/subject_acc', 'subject_acc'),
}
_VAL = {
    'action': {'action/top1': 'clips'},
    'privacy': {'privacy/frame_top1': 'single frames', 'privacy/vote_top1': 'vote of a clip'},
}
_TITLES = {'action': 'Action', 'privacy': 'Person (privacy networks)'}
_CHANCE = 'privacy/chance'


def accuracy_curves(log: RunLog) -> Figure:
    """Training and validation accuracy of the action and of the privacy networks, by epoch.

    Training accuracy is the mean of what was logged during each epoch.

    Raises:
        ValueError: the run logged no accuracy.
    """
    roles = [role for role in _TRAIN if _train_accuracy(log, role) or _val_tags(log, role)]
    if not roles:
        raise ValueError(f"run '{log.name}' logged no accuracy, only {', '.join(_tags(log))}")
    with look():
        figure, axes = panels(len(roles))
        for axis, role in zip(axes, roles, strict=True):
            _draw_accuracy(axis, log, role)
            _finish(axis, _TITLES[role])
        _epochs_from_zero(axes[-1])
    return figure


def compare_runs(logs: Sequence[RunLog]) -> Figure:
    """Validation accuracy of any runs: action above, the person on single frames below.

    Raises:
        ValueError: no run was validated.
    """
    tags = {'action': 'action/top1', 'privacy': 'privacy/frame_top1'}
    roles = [role for role, tag in tags.items() if any(tag in log.val for log in logs)]
    if not roles:
        names = ', '.join(log.name for log in logs) or 'none given'
        raise ValueError(f'no validation accuracy in any run ({names})')
    with look():
        figure, axes = panels(len(roles))
        for axis, role in zip(axes, roles, strict=True):
            for i, log in enumerate(logs):
                if tags[role] in log.val:
                    style = dict(color=COLORS[i % len(COLORS)], ls=LINES[i % len(LINES)])
                    _plot(axis, log.val[tags[role]], log.name, marker=MARKERS[i % 7], **style)
            _draw_chance(axis, logs, role)
            _finish(axis, f'{_TITLES[role]}, validation', legend=False)
        _epochs_from_zero(axes[-1])
        _shared_legend(figure, axes)
    return figure


def encoder_history(log: RunLog) -> Figure:
    """How the encoder's numbers moved: each threshold from its even spacing, sigma, the range.

    Raises:
        ValueError: the run logged none of them.
    """
    thresholds = sorted(tag for tag in log.train if tag.startswith('encoder/threshold_'))
    drawers = {
        'thresholds': (thresholds, lambda axis: _draw_thresholds(axis, log, thresholds)),
        'sigma': (['encoder/sigma'], lambda axis: _draw_sigma(axis, log)),
        'range': (['encoder/range_low'], lambda axis: _draw_range(axis, log)),
    }
    shown = [draw for tags, draw in drawers.values() if tags and tags[0] in log.train]
    if not shown:
        raise ValueError(f"run '{log.name}' logged no numbers of an encoder: it trained none")
    with look():
        figure, axes = panels(len(shown), height=1.9)
        for axis, draw in zip(axes, shown, strict=True):
            draw(axis)
        _epochs_from_zero(axes[-1])
    return figure


# ------------------------------------------------------------------ accuracy
def by_epoch(series: Series) -> Series:
    """The mean of a training curve within each epoch."""
    epochs = np.ceil(series.epochs - 1e-9)
    unique = np.unique(epochs)
    return Series(unique, np.array([series.values[epochs == epoch].mean() for epoch in unique]))


def _train_accuracy(log: RunLog, role: str) -> dict[str, Series]:
    """Accuracies in training by tag; several privacy networks have one each."""
    return {
        tag: by_epoch(series)
        for tag, series in log.train.items()
        if tag.endswith(_TRAIN[role]) and (tag in _TRAIN[role] or '/' in tag)
    }


def _val_tags(log: RunLog, role: str) -> list[str]:
    return [tag for tag in _VAL[role] if tag in log.val]


def _draw_accuracy(axis: Axes, log: RunLog, role: str) -> None:
    color = ACTION if role == 'action' else PRIVACY
    train = _train_accuracy(log, role)
    for i, series in enumerate(train.values()):
        label = 'training' if len(train) == 1 else f'training, network {i + 1}'
        _plot(axis, series, label, color=NEUTRAL, ls=LINES[(i + 1) % 4], marker='')
    for i, tag in enumerate(_val_tags(log, role)):
        label = f'val., {_VAL[role][tag]}'
        _plot(axis, log.val[tag], label, color=color, ls=LINES[i], marker=MARKERS[i])
    _draw_chance(axis, [log], role)


def _plot(axis: Axes, series: Series, label: str, **style: object) -> None:
    """An accuracy in per cent."""
    _line(axis, series.epochs, 100 * series.values, label=label, **style)


def _line(
    axis: Axes, epochs: np.ndarray, values: np.ndarray, marker: str = '', **style: object
) -> None:
    # One epoch is one point, which a line alone would not show.
    axis.plot(epochs, values, marker=marker or ('.' if len(values) == 1 else ''), **style)


def _epochs_from_zero(axis: Axes) -> None:
    axis.set_xlim(left=0)
    axis.set_xlabel('epoch')
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_chance(axis: Axes, logs: Sequence[RunLog], role: str) -> None:
    """Chance as the runs logged it, for the privacy networks."""
    known = [log.val[_CHANCE].values[-1] for log in logs if _CHANCE in log.val]
    if role == 'privacy' and known:
        axis.axhline(100 * known[0], color='black', lw=0.8, ls=(0, (1, 2)), label='chance')


def _finish(axis: Axes, title: str, legend: bool = True) -> None:
    axis.set_title(title, loc='left', fontweight='bold', pad=20 if legend else None)
    axis.set(ylabel='accuracy (%)', ylim=(0, 103))
    if legend:
        # Outside, under the title: nothing is hidden, wherever the curves run.
        axis.legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=4, fontsize=7.5,
                    borderaxespad=0.1, columnspacing=1.2)  # fmt: skip


def _shared_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    entries = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    columns = 2 if max(map(len, entries)) < 28 else 1
    figure.legend(
        entries.values(), entries.keys(), loc='outside lower center', ncols=columns, fontsize=8
    )


def _tags(log: RunLog) -> list[str]:
    return sorted({*log.train, *log.val})


# ------------------------------------------------------------------ the encoder's numbers
def _draw_thresholds(axis: Axes, log: RunLog, tags: Sequence[str]) -> None:
    even = spread_thresholds(len(tags) + 1).numpy()
    # The palest end of the scale would not be seen on paper.
    shades = ListedColormap(plt.get_cmap('viridis')(np.linspace(0, 0.9, len(tags))))
    for tag, start, color in zip(tags, even, shades.colors, strict=True):
        series = log.train[tag]
        _line(axis, series.epochs, series.values - start, color=color, lw=1)
    axis.axhline(0, color='black', lw=0.6)
    axis.set_title('Thresholds, from even spacing', loc='left', fontweight='bold')
    axis.set_ylabel('levels')
    scale = plt.cm.ScalarMappable(plt.Normalize(0.5, len(tags) + 0.5), shades)
    bar = axis.figure.colorbar(scale, ax=axis, pad=0.01, aspect=12)
    bar.set_label('threshold')
    bar.set_ticks([1, len(tags)])
    bar.minorticks_off()


def _draw_sigma(axis: Axes, log: RunLog) -> None:
    series = log.train['encoder/sigma']
    _line(axis, series.epochs, series.values, color=ACTION)
    axis.set_title('Sigma of the blur', loc='left', fontweight='bold')
    axis.set_ylabel('pixels')


def _draw_range(axis: Axes, log: RunLog) -> None:
    low, high = log.train['encoder/range_low'], log.train['encoder/range_high']
    _line(axis, high.epochs, high.values, color=ACTION, label='highest')
    _line(axis, low.epochs, low.values, color=PRIVACY, ls='--', label='lowest')
    if len(low.values) > 1:
        axis.fill_between(low.epochs, low.values, high.values, color=ACTION, alpha=0.08, lw=0)
    axis.set_title('Range of the quantiser', loc='left', fontweight='bold')
    axis.set_ylabel('grey value, 0 to 1')
    axis.legend(loc='center right', fontsize=8)
