"""The comparisons everyone asks for: lists of cells, and the loop that fills them.

Any number of processes may run the same comparison: each claims what it works on, finished cells
are never computed twice, and a killed run continues where it was.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..encoders import build_encoder, read_encoder_file
from ..engine.launch import load_config
from ..paths import CONFIGS, TOOLS
from ..progress import duration_text, follow_training
from .audit import run_audit
from .candidates import Audited, output_forms, resolve_encoder
from .results import Cell, claim, read_result
from .settings import Data, Panel

TRAIN_CONFIGS = {
    'ixmas': CONFIGS / 'bdq_ixmas_cpu.py',
    'ixmas_224': CONFIGS / 'bdq_ixmas.py',
    'kth': CONFIGS / 'bdq_kth_cpu.py',
}
# Seconds before a process looks again whether another one has let go of a cell.
_PATIENCE = 15.0


@dataclass(frozen=True)
class Entry:
    """One encoder of a comparison, to be audited in every form it has.

    Attributes:
        preset: name of the preset.
        alpha: weight of the privacy term in training; None for the config's own.
        trained: whether it is trained adversarially first. Encoders without trainable numbers
            never are.
    """

    preset: str
    alpha: float | None = None
    trained: bool = True

    @property
    def needs_training(self) -> bool:
        """Whether there is anything to train."""
        encoder = build_encoder(self.preset)
        return self.trained and any(p.requires_grad for p in encoder.parameters())

    @property
    def name(self) -> str:
        """Its name in the results."""
        name = self.preset if self.alpha is None else f'{self.preset}_alpha{self.alpha:g}'
        return name if self.trained else f'{name}_untrained'

    @property
    def outputs(self) -> tuple[str, ...]:
        """Forms that its output has."""
        return tuple(output_forms(build_encoder(self.preset)))


def _entries(*presets: str, **fields: Any) -> list[Entry]:
    return [Entry(preset, **fields) for preset in presets]


ALPHAS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_MAIN = ('pass_through', 'bdq', 'bdq_hard')

EXPERIMENTS: dict[str, list[Entry]] = {
    'first_group': _entries(*_MAIN, 'bdq_released', 'd', 'sign_16', 'sign_2'),
    'untrained': _entries('pass_through')
    + _entries('bdq_hard', 'bdq', 'sign_2', 'sign_16', 'd', 'bdq_released', trained=False),
    'hide': _entries('pass_through')
    + _entries(
        'bdq_hard',
        'blocks',
        'blocks_noise',
        'blocks_geometry',
        'blocks_noise_geometry',
        trained=False,
    ),
    'ablation': _entries('pass_through', 'b', 'd', 'q', 'bd', 'bq', 'dq', 'bdq'),
    'rivals': _entries(
        'pass_through',
        *('ryoo_16', 'ryoo_32', 'ryoo_64'),
        *('blur_weak', 'blur_strong', 'pixelate_4', 'pixelate_16'),
        'bdq_hard',
    ),
    'alpha': [Entry('bdq_hard', alpha=alpha) for alpha in ALPHAS],
    'modes': _entries('bdq', 'bdq_hard', 'bdq_annealed'),
    'full': _entries(*_MAIN),
}


@dataclass(frozen=True)
class Settings:
    """What all cells of a comparison share.

    Attributes:
        data, panel, protocol: see :func:`~bdq_plugin.evaluation.audit.run_audit`.
        results, work_dir, device: likewise.
        train_config: config that encoders are trained with.
        train_epochs: length of that training; None for the config's own.
    """

    data: Data
    panel: Panel
    protocol: str = 'take'
    results: Path = Path('results/audit')
    work_dir: Path = Path('work_dirs/audit')
    device: str = 'cpu'
    train_config: Path | None = None
    train_epochs: int | None = None


@dataclass(frozen=True)
class Task:
    """One encoder on one fold with one seed, in every form: what a process claims at once."""

    entry: Entry
    fold: int
    seed: int

    def cells(self, settings: Settings) -> list[Cell]:
        """Its cells."""
        return [
            Cell(
                settings.data.name,
                settings.protocol,
                self.fold,
                self.entry.name,
                output,
                self.seed,
                settings.panel.name,
            )
            for output in self.entry.outputs
        ]


def list_tasks(entries: Sequence[Entry], folds: Sequence[int], seeds: Sequence[int]) -> list[Task]:
    """All encoders on one fold with one seed, then the next fold, then the next seed."""
    return [Task(entry, fold, seed) for seed in seeds for fold in folds for entry in entries]


def is_finished(cell: Cell, settings: Settings) -> bool:
    """Whether a cell's result is there.

    Raises:
        ValueError: it is of another version, or was computed with another panel or data config.
    """
    path = cell.path(settings.results)
    if not path.is_file():
        return False
    document, panel = read_result(path), settings.panel
    same = document['panel'] == json.loads(json.dumps(panel.networks))
    same &= document['data'] == json.loads(json.dumps(settings.data.identity()))
    # Of attributes there are none.
    same &= not document['controls'] or set(document['controls']) == set(panel.controls)
    if not same:
        raise ValueError(
            f"{path} was computed with another panel '{panel.name}', other controls or another "
            'data config: move it away, or write elsewhere (--results)'
        )
    return True


def run_tasks(
    tasks: Sequence[Task], settings: Settings, log: Callable[[str], None] = print
) -> None:
    """Compute whatever of ``tasks`` is not finished, beside other processes that do the same.

    Returns when all is finished, by whomever.
    """
    every_cell = [cell for task in tasks for cell in task.cells(settings)]
    start, before = time.monotonic(), _count_finished(every_cell, settings)
    pending = list(tasks)
    while pending:
        waiting = []
        for task in pending:
            cells = task.cells(settings)
            if all(is_finished(cell, settings) for cell in cells):
                log(f'{task.entry.name}, fold {task.fold}, seed {task.seed}: finished')
            elif _run_task(task, cells, settings, log):
                finished = _count_finished(every_cell, settings)
                log(_how_far(len(every_cell), before, finished, time.monotonic() - start))
            else:
                waiting.append(task)
        if len(waiting) == len(pending):
            time.sleep(_PATIENCE)
        pending = waiting


def _count_finished(cells: Sequence[Cell], settings: Settings) -> int:
    return sum(is_finished(cell, settings) for cell in cells)


def _how_far(total: int, before: int, finished: int, seconds: float) -> str:
    """How many cells are finished, by whomever, and how long the rest will take at this rate."""
    text, left = f'{finished} of {total} cells finished', total - finished
    if not left:
        return text
    each = seconds / max(1, finished - before)
    return f'{text}, {duration_text(each)} each, about {duration_text(left * each)} left'


def _run_task(
    task: Task, cells: Sequence[Cell], settings: Settings, log: Callable[[str], None]
) -> bool:
    """Train and audit one encoder; False where another process is at it."""
    audited = provide_encoder(task, settings, log)
    if audited is None:
        return False
    forms = output_forms(audited.encoder)
    done = [
        run_audit(
            forms[cell.output],
            cell,
            settings.data,
            settings.panel,
            origin=audited.origin,
            results=settings.results,
            work_dir=settings.work_dir,
            device=settings.device,
            log=log,
        )
        for cell in cells
    ]
    return all(result is not None for result in done)


def provide_encoder(
    task: Task, settings: Settings, log: Callable[[str], None] = print
) -> Audited | None:
    """The encoder of a task, trained where it is to be; None while another process trains it."""
    if not task.entry.needs_training:
        return resolve_encoder(task.entry.preset)
    path = train_encoder(task, settings, log)
    return None if path is None else resolve_encoder(str(path))


def train_encoder(
    task: Task, settings: Settings, log: Callable[[str], None] = print
) -> Path | None:
    """Train an encoder adversarially with ``tools/train.py``, or continue a killed training.

    Returns:
        Path of its ``encoder.json``; None while another process trains it.

    Raises:
        ValueError: training failed, or there is no config to train with.
    """
    entry, data = task.entry, settings.data
    base = settings.train_config or TRAIN_CONFIGS.get(data.name)
    if base is None or not Path(base).is_file():
        raise ValueError(
            f"no config to train '{entry.preset}' with on {data.name}: name one (--train-config)"
        )
    alpha = '' if entry.alpha is None else f'-alpha{entry.alpha:g}'
    folder = Path(settings.work_dir, 'encoders', data.name, settings.protocol, f'fold{task.fold}')
    name = f'{entry.preset}{alpha}-seed{task.seed}'
    folder = folder / name
    path = folder / 'encoder.json'
    if _is_trained(path):
        return path
    with claim(folder / 'training.lock') as ours:
        if not ours:
            log(f'{folder}: another process trains it')
            return None
        if _is_trained(path):
            return path
        recipe = folder / 'recipe.py'
        recipe.write_text(_recipe(task, settings, Path(base)))
        log(f'training {folder}')
        command = [sys.executable, str(TOOLS / 'train.py'), str(recipe)]
        command += ['--work-dir', str(folder), '--seed', str(task.seed), '--resume', 'auto']
        status = follow_training(command, folder / 'training.log', f'training {name}')
        if status or not _is_trained(path):
            raise ValueError(f'training failed, see {folder / "training.log"}')
    return path


def _is_trained(path: Path) -> bool:
    """Whether an encoder file is there and from the last epoch of its training."""
    if not path.is_file():
        return False
    metadata = read_encoder_file(path)['metadata']
    return metadata.get('epoch') is not None and metadata['epoch'] == metadata.get('max_epochs')


def _recipe(task: Task, settings: Settings, base: Path) -> str:
    """A config that says in full what is trained."""
    entry, dataset = task.entry, settings.data.dataset
    options = {
        'encoder': dict(preset=entry.preset),
        'protocol': settings.protocol,
        'fold': task.fold,
        'ann_file': str(Path(dataset['ann_file']).resolve()),
        'data_root': str(Path(dataset['data_prefix']['video']).resolve()),
    }
    if entry.alpha is not None:
        options['model.alpha'] = entry.alpha
    if settings.train_epochs is not None:
        options['max_epochs'] = settings.train_epochs
    return load_config(str(base), options=options).pretty_text
