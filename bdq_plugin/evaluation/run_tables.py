"""The table of the main experiment, from the ``metrics.json`` of its trainings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..markdown import table

# What tools/reproduce_ixmas_cpu.sh leaves in a folder: rows of the table.
RUNS = {
    'no_encoder': 'clear video, both networks',
    'game': 'BDQ, in the game',
    'action': 'BDQ frozen, fresh action network',
    'privacy': 'BDQ frozen, fresh privacy network',
}
FIGURES = {
    'action/top1': 'action',
    'privacy/frame_top1': 'subject, single frames',
    'privacy/vote_top1': 'subject, vote of a clip',
}


def read_runs(folder: str | Path) -> dict[str, dict[str, Any]]:
    """The runs of one fold, by name.

    Raises:
        FileNotFoundError: none of them is there.
    """
    runs = {
        name: json.loads(path.read_text())
        for name in RUNS
        if (path := Path(folder) / f'{name}.json').is_file()
    }
    if not runs:
        raise FileNotFoundError(f'no results in {folder}: run tools/reproduce_ixmas_cpu.sh')
    return runs


def runs_table(root: str | Path) -> str:
    """A Markdown table of every fold below ``root``, accuracies in percent.

    Args:
        root: holds ``foldK/NAME.json``, see ``RUNS``.
    """
    folders = sorted(path for path in Path(root).glob('fold*') if path.is_dir())
    if not folders:
        return 'No results yet.\n'
    rows = []
    for folder in folders:
        for name, run in read_runs(folder).items():
            metrics = run['metrics']
            figures = [f'{100 * metrics[key]:.1f}' if key in metrics else '' for key in FIGURES]
            rows.append([run['fold'], RUNS[name], *figures, run['epochs']])
    chance = read_runs(folders[0])
    shown = next(r['metrics'] for r in chance.values() if 'privacy/chance' in r['metrics'])
    subject = f'{100 * shown["privacy/chance"]:.1f}'
    rows.append(['', 'chance', f'{100 / 6:.1f}', subject, subject, ''])
    return table(['fold', 'networks', *FIGURES.values(), 'epochs'], rows) + '\n'
