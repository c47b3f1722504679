"""One look for all figures, and files that are written whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..atomic_files import atomic_path

# Okabe and Ito's colours, which remain apart for colour-blind readers; yellow, too pale on paper,
# is left out.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#000000')
ACTION, PRIVACY, NEUTRAL = COLORS[0], COLORS[1], '#595959'
# Colour is never the only difference: lines and marks take turns as well.
LINES = ('-', '--', '-.', ':')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')

_LOOK = {
    'font.size': 9,
    'axes.titlesize': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#DDDDDD',
    'grid.linewidth': 0.6,
    'axes.axisbelow': True,
    'legend.frameon': False,
    'lines.linewidth': 1.4,
    'lines.markersize': 4.5,
    # Text in a PDF remains text.
    'pdf.fonttype': 42,
    # The same figure gives the same bytes.
    'svg.hashsalt': 'bdq',
}


@contextmanager
def look() -> Iterator[None]:
    """The project's style, for the figures drawn within."""
    with plt.rc_context(_LOOK):
        yield


def panels(count: int, width: float = 5.2, height: float = 2.3) -> tuple[Figure, list[Axes]]:
    """Panels above each other that share their x axis: they fit a column of print and a phone.

    Args:
        count: number of panels.
        width: of the figure, in inches.
        height: of each panel, in inches.
    """
    figure, axes = plt.subplots(
        count, 1, figsize=(width, height * count + 0.3), sharex=True, layout='constrained'
    )
    return figure, list(axes) if count > 1 else [axes]


def save_figure(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure, whole or not at all, and close it.

    Args:
        figure: any figure of this package.
        path: its ending chooses the format: ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        ValueError: matplotlib knows no such format.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lstrip('.').lower()
    if kind not in known:
        raise ValueError(f"cannot write '{path.name}': end its name in .png, .pdf or .svg")
    # A PDF's date would make each writing differ.
    dates = dict(pdf={'CreationDate': None}, svg={'Date': None})
    with plt.rc_context(_LOOK), atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150, metadata=dates.get(kind))
    plt.close(figure)
    return path
