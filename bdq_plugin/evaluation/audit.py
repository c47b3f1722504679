"""The audit of one encoder: fresh networks on its frozen output, and what they recognise.

::

    clips of one fold --decode--> clear frames --frozen encoder--> encoded clips (in memory)
        +--> a fresh network for the action
        +--> a panel of attackers for the person  --> figures, intervals, the maximum --> one JSON
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mmaction
import mmengine
import numpy as np
import torch

from ..encoders import ClipEncoder
from ..version import __version__
from .attackers import Attacker, build_attacker, build_panel
from .clips import ENCODING_BATCH, Clips, Fold, encode, load_fold
from .figures import answers, describe, headline
from .results import FORMAT, FORMAT_VERSION, Cell, Partial, claim, fingerprint, finished, write_json
from .settings import Data, Panel
from .training import seed_everything

Log = Callable[[str], None]


def run_audit(
    encoder: ClipEncoder,
    cell: Cell,
    data: Data,
    panel: Panel,
    *,
    origin: dict[str, Any] | None = None,
    results: str | os.PathLike = 'results/audit',
    work_dir: str | os.PathLike = 'work_dirs/audit',
    device: str = 'cpu',
    log: Log = print,
) -> dict[str, Any] | None:
    """Audit one cell, or return its result where it is finished already.

    Args:
        encoder: in the form that ``cell.output`` names.
        cell: names the result.
        data: where the clips come from.
        panel: the networks.
        origin: where the encoder is from, stored with the result (see :mod:`.candidates`).
        results: folder of results.
        work_dir: folder of claims and of the finished networks of unfinished cells.
        device: where networks are trained.
        log: receives lines of progress.

    Returns:
        The result, as written; None where another process is at it.

    Raises:
        ValueError: before any training: the protocol defines no identity, a fold has too few clips,
            an attacker cannot read the output, or the result at hand has other settings.
    """
    print_of_cell = fingerprint(
        cell.output,
        _describe_encoder(encoder),
        data.identity(),
        panel.networks,
        panel.learned_from,
        cell.protocol,
        cell.fold,
        cell.seed,
    )
    path = cell.path(results)
    with claim(Path(work_dir, f'{cell.key}.lock')) as ours:
        if not ours:
            log(f'{cell.key}: another process is at it')
            return None
        for left_by_a_kill in path.parent.glob(f'.{path.name}.*.tmp'):
            left_by_a_kill.unlink()
        result = finished(path, print_of_cell)
        if result is not None:
            log(f'{cell.key}: finished already, {path}')
            return result
        partial = Partial(Path(work_dir, cell.key), print_of_cell)
        result = _compute(encoder, cell, data, panel, partial, device, log)
        result = {**result, 'origin': origin or {}, 'fingerprint': print_of_cell}
        write_json(path, result)
        partial.clear()
        log(f'{cell.key}: {result["headline"]["text"]}\nwrote {path}')
        return result


def _compute(
    encoder: ClipEncoder,
    cell: Cell,
    data: Data,
    panel: Panel,
    partial: Partial,
    device: str,
    log: Log,
) -> dict[str, Any]:
    fold = load_fold(data.dataset, cell.protocol, cell.fold, log)
    train, test = (
        encode(clips, encoder, data.mean, data.std, cell.seed) for clips in (fold.train, fold.test)
    )
    outputs = {target: len(fold.names(target)) for target in ('identity', 'action')}
    # All are built before the first is trained: a mistake in the last must not cost an hour.
    build_panel(panel.networks, outputs, train.shape)
    wanted = {config.get('start_from') for config in panel.networks.values()}
    records = {}
    for number, (name, config) in enumerate(panel.networks.items(), 1):
        record = partial.get(name)
        if record is None:
            log(f'{cell.key}: training {name}, network {number} of {len(panel.networks)}')
            source = config.get('start_from')
            start = None if source is None else partial.state(source)
            network = _build_network(name, config, outputs, train.shape, cell.seed, start)
            record = _run_network(network.to(device), train, test, panel.learned_from)
            state = network.backbone.state_dict() if name in wanted else None
            partial.put(name, record, state)
        records[name] = record
        log(f'{cell.key}: {_summary(name, record)}')
    attackers = {k: v['figures'] for k, v in records.items() if v['target'] == 'identity'}
    return {
        'format': FORMAT,
        'version': FORMAT_VERSION,
        'cell': asdict(cell),
        'headline': headline(attackers),
        'figures': {name: record['figures'] for name, record in records.items()},
        'encoder': _describe_encoder(encoder),
        'notes': _notes(encoder),
        'data': data.identity(),
        'shape': list(train.shape),
        'protocol_audit': fold.audit.to_dict(),
        'panel': panel.networks,
        'learned_from': panel.learned_from,
        'versions': _versions(),
        'machine': {
            'cpu_count': os.cpu_count(),
            'threads': torch.get_num_threads(),
            'device': torch.cuda.get_device_name(device) if 'cuda' in device else 'cpu',
        },
        'seconds': {name: record['seconds'] for name, record in records.items()},
        'test': _describe_test(fold),
        'answers': {name: record['answers'] for name, record in records.items()},
    }


def _build_network(
    name: str,
    config: dict[str, Any],
    outputs: dict[str, int],
    shape: tuple[int, ...],
    seed: int,
    start: dict[str, torch.Tensor] | None,
) -> Attacker:
    """A fresh network; its weights and all that it draws depend on its name and the seed alone."""
    seed_everything(seed, name)
    network = build_attacker(name, config, outputs, shape)
    if start is not None:
        network.backbone.load_state_dict(start)
    return network


def _run_network(
    network: Attacker, train: Clips, test: Clips, learned_from: float
) -> dict[str, Any]:
    """Train one network and describe what it answers."""
    started = time.perf_counter()
    attack = network.attack(train, test)
    truths = [clips.target(network.target).numpy() for clips in (train, test)]
    return {
        'target': network.target,
        'figures': describe(attack, *truths, test.groups, learned_from),
        'answers': answers(attack, truths[1]),
        'seconds': round(time.perf_counter() - started, 1),
    }


def _summary(name: str, record: dict[str, Any]) -> str:
    figures = record['figures']
    parts = [f'{figures["figure"]} {figures[figures["figure"]]:.1%}']
    if 'frame_top1' in figures:
        parts.append(f'frame_top1 {figures["frame_top1"]:.1%}')
    parts.append(f'train {figures["train_accuracy"]:.1%}')
    parts += [f'{key} {value:.3g}' for key, value in figures['extras'].items()]
    learned = '' if figures['learned'] else ', did not learn its training clips'
    return f'{name} ({record["target"]}): {", ".join(parts)}{learned}; {record["seconds"]} s'


def _describe_encoder(encoder: ClipEncoder) -> dict[str, Any]:
    return {
        'type': type(encoder).__name__,
        'config': encoder.config,
        'state': {name: tensor.tolist() for name, tensor in encoder.state_dict().items()},
    }


def _describe_test(fold: Fold) -> dict[str, Any]:
    test = fold.test
    return {
        'ids': list(test.ids),
        'groups': list(test.groups),
        'action': test.actions.tolist(),
        'identity': test.identities.tolist(),
        'action_names': list(fold.actions),
        'identity_names': list(fold.identities),
    }


def _notes(encoder: ClipEncoder) -> list[str]:
    """What a reader of the figures must know of how they came about."""
    notes = []
    if getattr(encoder, 'quantizes', False) and encoder.quantize.range == 'batch':
        notes.append(
            f"The range is the batch's: clips were encoded in batches of {ENCODING_BATCH}, in the "
            'fixed order of the data set, train and test apart.'
        )
    if encoder.expects_normalized:
        notes.append('Frames were normalised before they were encoded, as in the released code.')
    return notes


def _versions() -> dict[str, str]:
    return {
        'bdq_plugin': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'mmengine': mmengine.__version__,
        'mmaction2': mmaction.__version__,
        'numpy': np.__version__,
    }
