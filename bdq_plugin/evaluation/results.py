"""Results as data: one JSON a cell, written whole or not at all, never computed twice.

A cell is one encoder in one form, one fold, one seed, one panel. Its result lies at
``RESULTS/DATA/PROTOCOL/foldK/ENCODER-OUTPUT-seedS-PANEL.json``; what a killed run had finished of
it, and the claims of the processes that share a grid, lie in a work folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mmaction
import mmengine
import numpy as np
import torch

from ..atomic_files import write_text
from ..version import __version__

FORMAT = 'bdq-audit'
FORMAT_VERSION = 2

_NAME = re.compile(r'[a-z0-9][a-z0-9_.]*')


@dataclass(frozen=True)
class Cell:
    """What is audited, by name.

    Attributes:
        data: name of the data set's config.
        protocol, fold: of the data set.
        encoder: a name for the encoder: lower case, digits, ``_`` and ``.``.
        output: ``'soft'`` (real numbers) or ``'hard'`` (whole levels).
        seed: of the networks.
        panel: name of the panel's config.
    """

    data: str
    protocol: str
    fold: int
    encoder: str
    output: str
    seed: int
    panel: str

    def __post_init__(self) -> None:
        for field in ('data', 'protocol', 'encoder', 'panel'):
            # These become parts of a path.
            if not _NAME.fullmatch(getattr(self, field)):
                raise ValueError(
                    f"{field} name '{getattr(self, field)}' must consist of lower case letters, "
                    'digits, "_" and "."'
                )

    @property
    def key(self) -> str:
        """Name of the cell as one word."""
        return f'{self.data}-{self.protocol}-fold{self.fold}-{self._stem}'

    @property
    def _stem(self) -> str:
        return f'{self.encoder}-{self.output}-seed{self.seed}-{self.panel}'

    def path(self, results: str | os.PathLike) -> Path:
        """Where its result lies under the folder ``results``."""
        return Path(results, self.data, self.protocol, f'fold{self.fold}', f'{self._stem}.json')


def fingerprint(*parts: Any) -> str:
    """A short hash of JSON-ready values: equal for equal work."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def software() -> dict[str, str]:
    """Versions of what computes the figures."""
    return {
        'bdq_plugin': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'mmengine': mmengine.__version__,
        'mmaction2': mmaction.__version__,
        'numpy': np.__version__,
        'scikit-learn': version('scikit-learn'),
    }


def write_json(path: str | os.PathLike, document: dict[str, Any]) -> None:
    """Write a document whole or not at all, one line for each of its keys."""
    lines = [f'{json.dumps(key)}: {json.dumps(value)}' for key, value in document.items()]
    write_text(path, '{\n' + ',\n'.join(lines) + '\n}\n')


def read_result(path: str | os.PathLike) -> dict[str, Any]:
    """Read a result.

    Raises:
        ValueError: not a result, or one of another version.
    """
    try:
        document = json.loads(Path(path).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not an audit result: {error}') from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise ValueError(f'{path} is not an audit result: it lacks "format": "{FORMAT}"')
    if document.get('version') != FORMAT_VERSION:
        raise ValueError(
            f'{path} is of version {document.get("version")}, this package reads '
            f'{FORMAT_VERSION}: move it away, or read it with the release that wrote it'
        )
    return document


def read_results(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """All results under a folder, in the order of their paths."""
    return [read_result(path) for path in sorted(Path(folder).rglob('*.json'))]


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What a second run of a cell must give again, bit for bit: all but times and machine."""
    attackers = {
        name: {key: value for key, value in record.items() if key != 'seconds'}
        for name, record in result['attackers'].items()
    }
    kept = {k: v for k, v in result.items() if k not in ('date', 'machine', 'versions', 'origin')}
    return {**kept, 'attackers': attackers}


def differences(first: Any, second: Any, place: str = '') -> list[str]:
    """Where two JSON documents differ, as paths such as ``attackers.frame.scores[3][0]``."""
    if isinstance(first, dict) and isinstance(second, dict):
        found = [f'{place}.{key}' for key in sorted(first.keys() ^ second.keys())]
        for key in first.keys() & second.keys():
            found += differences(first[key], second[key], f'{place}.{key}')
        return sorted(name.removeprefix('.') for name in found)
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [
            where
            for index, pair in enumerate(zip(first, second, strict=True))
            for where in differences(*pair, f'{place}[{index}]')
        ]
    return [] if first == second else [place]


def finished(path: str | os.PathLike, expected: str) -> dict[str, Any] | None:
    """The result of a cell where it is there, else None.

    Args:
        path: of the result.
        expected: fingerprint of what would be computed.

    Raises:
        ValueError: it was computed with other settings, or is of another version.
    """
    if not Path(path).is_file():
        return None
    document = read_result(path)
    if document['fingerprint'] != expected:
        raise ValueError(
            f'{path} was computed with another encoder, panel or data (config, or clips): name '
            'this encoder differently (--name), write elsewhere (--results), or move that file away'
        )
    return document


class Partial:
    """The finished attackers of a cell that is not finished itself.

    Args:
        folder: where they are kept.
        fingerprint: of the cell; those of another one are computed anew.
    """

    def __init__(self, folder: str | os.PathLike, fingerprint: str) -> None:
        self.folder, self.fingerprint = Path(folder), fingerprint

    def get(self, name: str) -> dict[str, Any] | None:
        """The record of an attacker or control, or None."""
        path = self.folder / f'{name}.json'
        if not path.is_file():
            return None
        document = json.loads(path.read_text())
        return document['record'] if document['fingerprint'] == self.fingerprint else None

    def put(self, name: str, record: dict[str, Any]) -> None:
        """Keep the record of one attacker or control."""
        document = dict(fingerprint=self.fingerprint, record=record)
        write_json(self.folder / f'{name}.json', document)

    def clear(self) -> None:
        """Forget them; the cell is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def claim(path: str | os.PathLike, wait: bool = False) -> Iterator[bool]:
    """Claim a piece of work among the processes of this machine.

    A lock of the operating system: it goes with the process that holds it, however that ends, so no
    claim is ever stale.

    Args:
        path: lock file; it stays, empty.
        wait: wait for another holder instead of giving up.

    Yields:
        Whether the work is ours.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
