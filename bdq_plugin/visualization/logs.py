"""What a run left behind: its curves, its config and its metrics, read without running any code."""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import masked_crc32c
from tensorboard.util.tensor_util import make_ndarray

SOURCES = ('auto', 'json', 'tensorboard')
_EVENTS = 'events.out.tfevents.*'
# MMEngine logs these beside the figures; they say where a record belongs, or how long it took.
_BOOKKEEPING = ('step', 'epoch', 'iter')
_Record = dict[str, float]


@dataclass(frozen=True)
class Series:
    """One figure over training: the epoch (fractional within one) and the value of each point."""

    epochs: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class RunLog:
    """The curves of one run.

    Attributes:
        name: of its work directory.
        train, val: tag to curve.
        source: ``'json'`` or ``'tensorboard'``.
        warnings: what could not be read.
    """

    name: str
    train: dict[str, Series]
    val: dict[str, Series]
    source: str
    warnings: list[str] = field(default_factory=list)

    @property
    def max_epoch(self) -> float:
        """The last epoch that any curve reaches."""
        return max(s.epochs[-1] for s in (*self.train.values(), *self.val.values()))


def read_run(work_dir: str | os.PathLike, source: str = 'auto') -> RunLog:
    """Read the curves of a run.

    Parts of a run that was stopped and resumed are joined; where they overlap the later one counts.

    Args:
        work_dir: of ``tools/train.py``, or a folder in it that holds the logs.
        source: ``'json'`` reads MMEngine's ``scalars.json``, ``'tensorboard'`` its event files,
            ``'auto'`` the former, or the latter where that has nothing.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: the folder holds no log of a run, or nothing could be read from it.
    """
    if source not in SOURCES:
        raise ValueError(f"source is one of {', '.join(SOURCES)}, got '{source}'")
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise FileNotFoundError(f'no folder {work_dir}')
    warnings: list[str] = []
    for kind in ('json', 'tensorboard') if source == 'auto' else (source,):
        files = _log_files(work_dir, 'scalars.json' if kind == 'json' else _EVENTS)
        read = _read_json if kind == 'json' else _read_events
        records = [record for path in files for record in read(path, warnings)]
        if records:
            return RunLog(_name(work_dir), *_curves(records), kind, warnings)
    if warnings:
        raise ValueError('; '.join(warnings))
    raise ValueError(
        f'{work_dir} holds no log of a run: expected TIMESTAMP/vis_data/ with scalars.json or '
        'TensorBoard event files; give the work_dir of tools/train.py'
    )


def is_run(folder: str | os.PathLike) -> bool:
    """Whether a folder is the work directory of a run."""
    folder = Path(folder)
    return any(_log_files(folder, name) for name in ('scalars.json', _EVENTS))


def find_runs(folder: str | os.PathLike) -> list[Path]:
    """The folder itself where it is a run, else the runs in it, the first begun first."""
    folder = Path(folder)
    if is_run(folder):
        return [folder]
    runs = [path for path in sorted(folder.iterdir()) if path.is_dir() and is_run(path)]
    # The folders of the logs bear the time; runs of other programs may not have them.
    return sorted(
        runs, key=lambda run: min((p.parent.name for p in run.glob('*/vis_data')), default='')
    )


def read_metrics(work_dir: str | os.PathLike) -> dict[str, Any]:
    """``metrics.json`` of a finished run.

    Raises:
        ValueError: it is missing (the run is not finished) or broken.
    """
    path = Path(work_dir) / 'metrics.json'
    if not path.is_file():
        raise ValueError(f'no {path}: the run is not finished')
    try:
        document = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is broken: {error}') from error
    if not isinstance(document, dict) or not isinstance(document.get('metrics'), dict):
        raise ValueError(f'{path} is not of this project: it lacks "metrics"')
    return document


def config_text(work_dir: str | os.PathLike) -> str:
    """The config that a run was trained with, as MMEngine wrote it down.

    Raises:
        ValueError: there is none.
    """
    paths = _log_files(Path(work_dir), 'config.py')
    if not paths:
        raise ValueError(f'{work_dir} holds no TIMESTAMP/vis_data/config.py')
    return paths[-1].read_text()


def read_config(work_dir: str | os.PathLike) -> dict[str, Any]:
    """The values of :func:`config_text`. Nothing is executed: the run may be a stranger's.

    Raises:
        ValueError: there is none, or it holds more than plain values.
    """
    text = config_text(work_dir)
    try:
        return {
            statement.targets[0].id: _plain(statement.value) for statement in ast.parse(text).body
        }
    except (SyntaxError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f'the config in {work_dir} is not one that MMEngine wrote') from error


def _plain(node: ast.expr) -> Any:
    """A literal, in which ``dict(...)`` may stand for ``{...}`` as in MMEngine's dumps."""
    if isinstance(node, ast.Call):
        if getattr(node.func, 'id', None) != 'dict' or node.args:
            raise ValueError('a call')
        return {keyword.arg: _plain(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _plain(value) for key, value in pairs}
    if isinstance(node, ast.List):
        return [_plain(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_plain(item) for item in node.elts)
    return ast.literal_eval(node)


def _name(work_dir: Path) -> str:
    return work_dir.resolve().name


def _log_files(work_dir: Path, name: str) -> list[Path]:
    """The files of a name in the order in which they were begun: folders bear their time."""
    places = ('*/vis_data', 'vis_data', '.')
    return next((found for p in places if (found := sorted(work_dir.glob(f'{p}/{name}')))), [])


def _read_json(path: Path, warnings: list[str]) -> Iterator[_Record]:
    broken = 0
    for line in path.read_text(errors='replace').splitlines():
        try:
            record = json.loads(line)
            yield {k: float(v) for k, v in record.items() if isinstance(v, int | float)}
        except (json.JSONDecodeError, AttributeError):
            broken += 1
    if broken:
        warnings.append(f'{path}: {broken} line(s) are broken and were left out')


def _read_events(path: Path, warnings: list[str]) -> Iterator[_Record]:
    """The records behind an event file: scalars of one step that were written together.

    Training counts iterations and validation epochs, so one step may mean both. A record of
    training ends with the tag ``iter``.
    """
    record: _Record = {}
    for event in _events(path, warnings):
        for value in event.summary.value:
            number = _scalar(value)
            if number is None:
                continue
            if record and record['step'] != event.step:
                yield record
                record = {}
            record = {**record, 'step': event.step, value.tag: number}
            if value.tag == 'iter':
                yield record
                record = {}
    if record:
        yield record


def _events(path: Path, warnings: list[str]) -> Iterator[Event]:
    """The events of a file up to where it breaks off.

    A record is: its length (8 bytes), a checksum of that (4), the message, a checksum of it (4).
    """
    data, at, count = path.read_bytes(), 0, 0
    while at < len(data):
        head, end = data[at : at + 8], at + 12
        size = int.from_bytes(head, 'little')
        checksum = int.from_bytes(data[at + 8 : end], 'little')
        if checksum != masked_crc32c(head) or end + size + 4 > len(data):
            break
        try:
            yield Event.FromString(data[end : end + size])
        except DecodeError:
            break
        at, count = end + size + 4, count + 1
    if at < len(data):
        warnings.append(
            f'{path}: breaks off, or is no event file, after {count} records '
            f'({at} of {len(data)} bytes); what follows was left out'
        )


def _scalar(value: Any) -> float | None:
    if value.HasField('simple_value'):
        return value.simple_value
    if value.metadata.plugin_data.plugin_name == 'scalars' and value.HasField('tensor'):
        array = make_ndarray(value.tensor)
        if array.size == 1 and np.issubdtype(array.dtype, np.number):
            return float(array.item())
    return None


def _curves(records: Sequence[_Record]) -> tuple[dict[str, Series], dict[str, Series]]:
    records = [record for record in records if 'step' in record]
    train = [record for record in records if 'epoch' in record]
    val = [record for record in records if 'epoch' not in record]
    # The last record of an epoch has its last iteration, unless the run was told not to log it.
    per_epoch = max((math.ceil(r['step'] / max(r['epoch'], 1)) for r in train), default=1)
    return _join(train, per_epoch), _join(val, 1)


def _join(records: Iterable[_Record], steps_per_epoch: int) -> dict[str, Series]:
    points: dict[str, dict[float, float]] = {}
    for record in records:
        for tag, value in record.items():
            if tag in _BOOKKEEPING:
                continue
            curve = points.setdefault(tag, {})
            # A step that is not past the last: the run was resumed from before it.
            while curve and next(reversed(curve)) >= record['step']:
                curve.popitem()
            curve[record['step']] = value
    return {
        tag: Series(np.array(list(curve)) / steps_per_epoch, np.array(list(curve.values())))
        for tag, curve in points.items()
    }
