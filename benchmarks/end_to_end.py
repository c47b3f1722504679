"""The IXMAS experiment from end to end: published practice and ours, in estimated minutes.

    OMP_NUM_THREADS=2 python -m benchmarks.run end_to_end

The parts are the adversarial stage and both re-trainings on its frozen encoder. *After* they are
ours as they are: ``configs/bdq_ixmas_cpu*.py``. *Before*, the same networks see the same clips as
often in the same batches, as a plain transcription of published practice has it
(:mod:`.practice`): each clip is read and decoded each time, the encoder runs in its plain form, the
game makes two full passes, and the only hooks are MMEngine's.

Whole runs take too long, so a few whole epochs of each are measured, before and after in turns, and
multiplied. Setting up, where ours fills its caches, and the first epoch count once, as measured.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from bdq_plugin.datasets.ixmas import IXMAS_ACTION_SETS, IXMAS_NUMBERED_ACTIONS, IXMAS_SUBJECTS
from bdq_plugin.datasets.kth import KTH_ACTIONS
from bdq_plugin.datasets.preparation import prepare_ixmas
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.engine.launch import build_runner, load_config

from .data import REPOSITORY, cpu_seconds
from .game import CONFIGS
from .harness import machine, rows_to_table
from .practice import as_published

FORMS = ('before', 'after')
CLOCKS = ('wall', 'cpu')
RECIPES = {
    'adversarial stage': 'bdq_ixmas_cpu.py',
    're-training, action': 'bdq_ixmas_cpu_action.py',
    're-training, privacy': 'bdq_ixmas_cpu_privacy.py',
}
# Networks of the panel that ``quick`` leaves out.
PROTOCOL, FOLD = 'take', 3

Seconds = dict[str, float]


@dataclass(frozen=True)
class Run:
    """A training that is taken epoch by epoch.

    Attributes:
        name: of what is trained.
        epochs, tests: so many has the whole training.
        epoch, test: do one of them.
    """

    name: str
    epochs: int
    tests: int
    epoch: Callable[[], object]
    test: Callable[[], object]


def training(form: str, recipe: str, options: dict[str, str], work_dir: Path) -> list[Run]:
    """A recipe, set up by MMEngine's Runner.

    A re-training takes the encoder as it is before any training: that costs the same time.
    """
    cfg = load_config(str(CONFIGS / recipe), options=options, work_dir=str(work_dir / form))
    cfg.log_level = 'ERROR'
    cfg.model.data_preprocessor.encoder = dict(preset='bdq')
    if form == 'before':
        as_published(cfg)
    runner = build_runner(cfg)
    loop, last = runner.train_loop, runner.train_loop.max_epochs
    # Runner.train prepares everything and runs the loop; here the epochs are taken one by one.
    loop.run = partial(runner.call_hook, 'before_train')
    runner.train()
    runner.test_loop  # noqa: B018  (is built, and its clips are cached)
    validations = [
        epoch
        for epoch in range(loop.val_begin, last + 1)
        if epoch % loop.val_interval == 0 or epoch == last
    ]
    return [Run(recipe, last, len(validations) + 1, loop.run_epoch, runner.val_loop.run)]


def clocked(step: Callable[[], object]) -> tuple[Any, Seconds]:
    """What a step returns, and the seconds that it took: by the clock, and of the processor."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = step()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return result, dict(wall=round(wall, 4), cpu=round(cpu, 4))


def measure(build: dict[str, Callable[[], list[Run]]], rounds: int) -> dict[str, Any]:
    """Set a part up in both forms and play epochs and tests of their runs in turns."""
    built = {form: clocked(build[form]) for form in FORMS}
    measured = {form: dict(set_up=built[form][1], runs=[]) for form in FORMS}
    for pair in zip(*(built[form][0] for form in FORMS), strict=True):
        epochs = [[clocked(run.epoch)[1] for run in pair] for _ in range(1 + rounds)]
        tests = [clocked(run.test)[1] for run in pair]
        for form, run, *taken, test in zip(FORMS, pair, *epochs, tests, strict=True):
            counts = dict(name=run.name, epochs=run.epochs, tests=run.tests)
            measured[form]['runs'].append(dict(counts, epoch_s=taken, test_s=test))
    return measured


def summary(measured: dict[str, Any]) -> dict[str, float]:
    """Epochs of a part, measured and in all, and the minutes that all of it takes in both forms."""
    runs = measured['after']['runs']
    found = dict(
        measured_epochs=sum(len(run['epoch_s']) for run in runs),
        epochs=sum(run['epochs'] for run in runs),
    )
    for form, clock in product(FORMS, CLOCKS):
        once, again = estimate(**measured[form], clock=clock)
        found |= {f'{form}_{clock}_once_s': once, f'{form}_{clock}_min': (once + again) / 60}
    return found


def estimate(set_up: Seconds, runs: list[dict[str, Any]], clock: str) -> tuple[float, float]:
    """Seconds of a part in one form: what comes once, and the rest of its epochs and tests."""
    once, again = set_up[clock], 0.0
    for run in runs:
        first, *others = (seconds[clock] for seconds in run['epoch_s'])
        once += first
        again += (run['epochs'] - 1) * statistics.median(others)
        again += run['tests'] * run['test_s'][clock]
    return once, again


def make_ixmas(root: Path, people: int) -> None:
    """Synthetic videos under IXMAS's names, and their annotation: one camera, six actions."""
    make_kth(root, subjects=people, scenarios=3, frames_per_sequence=6, size=(64, 48))
    (root / 'videos').rename(root / 'raw')
    for path in sorted((root / 'raw').iterdir()):
        person, action, scenario, _ = path.stem.split('_')
        subject, take = IXMAS_SUBJECTS[int(person.removeprefix('person')) - 1], scenario[-1]
        action = IXMAS_ACTION_SETS['six'][KTH_ACTIONS.index(action)]
        number = IXMAS_NUMBERED_ACTIONS.index(action) + 1
        name = f'{subject}{take}_{number:02d}_{action}_cam0_frames_0000_0023.avi'
        path.rename(path.with_name(name))
    prepare_ixmas(root / 'raw', root / 'annotations.csv')


def study(quick: bool = False, rounds: int = 2) -> dict[str, Any]:
    """Measure; ``quick`` shows that it works, with fewer networks on a few synthetic clips.

    Args:
        quick: see above; one round.
        rounds: epochs of each training that are measured after its first.
    """
    init_default_scope('mmaction')
    rounds = 1 if quick else rounds
    with tempfile.TemporaryDirectory() as folder:
        root, videos = REPOSITORY / 'data' / 'ixmas', 'IXMAS'
        if quick or not (root / 'annotations.csv').is_file():
            root, videos = Path(folder), 'synthetic videos'
            make_ixmas(root, people=2 if quick else 10)
        files = dict(data_root=str(root / 'raw'), ann_file=str(root / 'annotations.csv'))
        options = dict(files, protocol=PROTOCOL, fold=FOLD)
        document = dict(machine=machine(), videos=videos, rounds=rounds, parts={})
        phases = Config.fromfile(CONFIGS / RECIPES['adversarial stage']).train_cfg.phases
        document['privacy_steps'] = sum(p.steps for p in phases if p.name == 'privacy')
        parts = {
            part: partial(training, recipe=recipe, options=options, work_dir=Path(folder, recipe))
            for part, recipe in RECIPES.items()
        }
        if quick:
            del parts['re-training, action']
        document['measured'] = {
            part: measure({form: partial(build, form) for form in FORMS}, rounds)
            for part, build in parts.items()
        }
    rows = {part: summary(measured) for part, measured in document['measured'].items()}
    keys = next(iter(rows.values())).keys()
    rows['whole'] = {key: sum(row[key] for row in rows.values()) for key in keys}
    for row in rows.values():
        for clock in CLOCKS:
            row[f'speed_up_{clock}'] = row[f'before_{clock}_min'] / row[f'after_{clock}_min']
    document['parts'] = {
        part: {key: round(value, 3) for key, value in row.items()} for part, row in rows.items()
    }
    return document


def table(document: dict[str, Any]) -> str:
    """The parts and the whole in Markdown, and how their minutes were found."""
    head = ['part', 'epochs measured']
    head += ['before, min', 'after, min', 'times as fast', 'the same by processor time']
    head += ['once before, s', 'once after, s']
    keys = ['before_wall_min', 'after_wall_min', 'speed_up_wall', 'speed_up_cpu']
    keys += ['before_wall_once_s', 'after_wall_once_s']
    rows = [
        [
            part,
            f'{row["measured_epochs"]} of {row["epochs"]}',
            *(f'{row[key]:.{2 if "speed" in key else 1}f}' for key in keys),
        ]
        for part, row in document['parts'].items()
    ]
    where = document['machine']
    note = (
        f'**Estimated, not run to the end**: of each training setting up, the first '
        f'{1 + document["rounds"]} epochs and a test were measured, before and after in turns. '
        'Minutes: what comes once (setting up, which fills our caches, and the first epoch), and '
        'the median of the other epochs and the test, each times its number in the recipe. An '
        f'iteration of our game has {document["privacy_steps"]} privacy steps, the published 1. '
        f'{document["videos"]}, protocol {PROTOCOL}, fold {FOLD}. {where["cpu"]}, '
        f'{where["threads"]} thread(s), torch {where["torch"]}, '
        f'load {where["load_average_at_start"]} at the start.'
    )
    return f'{rows_to_table(head, rows)}\n\n{note}'
