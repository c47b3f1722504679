"""Measurements beside the audit: one JSON for each encoder, written whole, continued by fold.

A study measures arrays on each fold, which are kept until all folds are there, and makes its
figures of all of them. Its result lies at ``RESULTS/DATA/PROTOCOL/ENCODER-OUTPUT.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders import ClipEncoder
from .candidates import describe
from .clips import Fold, load_fold
from .results import claim, differences, fingerprint, software, write_json
from .settings import Data

VERSION = 1
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Study:
    """What is measured, by name.

    Attributes:
        kind: ``'verification'`` or ``'learning_curve'``.
        data, protocol, encoder, output: as in :class:`~bdq_plugin.evaluation.results.Cell`.
    """

    kind: str
    data: str
    protocol: str
    encoder: str
    output: str

    @property
    def key(self) -> str:
        """Its name as one word."""
        return f'{self.kind}-{self.data}-{self.protocol}-{self.encoder}-{self.output}'

    def path(self, results: str | os.PathLike) -> Path:
        """Where its result lies under the folder ``results``."""
        return Path(results, self.data, self.protocol, f'{self.encoder}-{self.output}.json')


@dataclass(frozen=True)
class Measure:
    """How a study is done.

    Attributes:
        fold: arrays of one fold with the encoder of that fold.
        summary: figures of the arrays of all folds, JSON-ready.
        settings: what the figures hang on, JSON-ready.
    """

    fold: Callable[[Fold, ClipEncoder, Data], Arrays]
    summary: Callable[[Mapping[int, Arrays]], dict[str, Any]]
    settings: dict[str, Any]


def run_study(
    study: Study,
    measure: Measure,
    encoders: Mapping[int, ClipEncoder],
    data: Data,
    *,
    results: str | os.PathLike,
    work_dir: str | os.PathLike,
    log: Callable[[str], None] = print,
) -> dict[str, Any] | None:
    """Measure an encoder, or return its result where it is there already.

    Args:
        study, measure: what, and how.
        encoders: of each fold, in the form that ``study.output`` names.
        data: where the clips come from.
        results, work_dir: folder of results, and of the arrays of finished folds.
        log: receives lines of progress.

    Returns:
        The document as written; None where another process is at it.

    Raises:
        ValueError: a fold that cannot be audited, or a result with other settings.
    """
    described = {str(fold): describe(encoder) for fold, encoder in encoders.items()}
    asked = fingerprint(asdict(study), VERSION, described, data.identity(), measure.settings)
    path, folder = study.path(results), Path(work_dir, study.key)
    with claim(Path(work_dir, f'{study.key}.lock')) as ours:
        if not ours:
            log(f'{study.key}: another process is at it')
            return None
        if path.is_file():
            return _finished(path, study.kind, asked, log)
        arrays = {}
        for fold, encoder in encoders.items():
            kept = folder / f'fold{fold}-{asked}.npz'
            if not kept.is_file():
                log(f'{study.key}: fold {fold}')
                loaded = load_fold(data.dataset, study.protocol, fold, log)
                _keep(kept, measure.fold(loaded, encoder, data))
            with np.load(kept) as stored:
                arrays[fold] = dict(stored)
        document = {
            'format': f'bdq-{study.kind}',
            'version': VERSION,
            'study': asdict(study),
            'folds': list(encoders),
            'settings': measure.settings,
            **measure.summary(arrays),
            'encoders': described,
            'data': data.identity(),
            'versions': software(),
            'date': date.today().isoformat(),
            'fingerprint': asked,
        }
        write_json(path, document)
        shutil.rmtree(folder)
        log(f'wrote {path}')
        return document


def check_study(
    study: Study,
    measure: Measure,
    encoders: Mapping[int, ClipEncoder],
    data: Data,
    *,
    results: str | os.PathLike,
    log: Callable[[str], None] = print,
) -> None:
    """Measure anew, elsewhere.

    Raises:
        FileNotFoundError: there is no result.
        ValueError: a figure differs.
    """
    first = read_study(study.path(results), study.kind)
    with tempfile.TemporaryDirectory() as scratch:
        run_study(study, measure, encoders, data, results=scratch, work_dir=scratch, log=log)
        again = read_study(study.path(scratch), study.kind)
    for document in (first, again):
        del document['date'], document['versions']
    found = differences(first, again)
    if found:
        raise ValueError(f'{study.path(results)} does not repeat: {", ".join(found[:5])} differ')
    log(f'{study.path(results)}: the same again, bit for bit')


def read_study(path: str | os.PathLike, kind: str) -> dict[str, Any]:
    """Read a result.

    Raises:
        ValueError: not a result of such a study, or one of another version.
    """
    try:
        document = json.loads(Path(path).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no result: {error}') from error
    found = isinstance(document, dict) and (document.get('format'), document.get('version'))
    if found != (f'bdq-{kind}', VERSION):
        raise ValueError(f'{path} is no result of bdq-{kind}, version {VERSION}: it has {found}')
    return document


def read_studies(
    folder: str | os.PathLike, kind: str, data: str | None = None, protocol: str | None = None
) -> list[dict[str, Any]]:
    """All results under a folder, or those of one data set and protocol, by path."""
    documents = [read_study(path, kind) for path in sorted(Path(folder).rglob('*.json'))]
    wanted = dict(data=data, protocol=protocol)
    return [
        document
        for document in documents
        if all(value in (None, document['study'][name]) for name, value in wanted.items())
    ]


def _finished(path: Path, kind: str, asked: str, log: Callable[[str], None]) -> dict[str, Any]:
    document = read_study(path, kind)
    if document['fingerprint'] != asked:
        raise ValueError(
            f'{path} was measured with another encoder, data config or settings: name this encoder '
            'differently (--name), write elsewhere (--results), or move that file away'
        )
    log(f'{path}: finished already')
    return document


def _keep(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.npz')
    np.savez(temporary, **arrays)
    os.replace(temporary, path)
