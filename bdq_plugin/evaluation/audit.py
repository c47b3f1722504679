"""The audit of one encoder: fresh networks on its frozen output, and what they recognise.

::

    clips of one fold --decode--> clear frames --frozen encoder--> encoded clips (in memory)
        +--> a fresh network for the action
        +--> a panel of attackers for the person, and all of them together
        +--> negative controls                       --> scores of each test clip --> one JSON

The JSON holds what was answered for each test clip; figures and intervals are computed from it when
tables are made (:mod:`.pooling`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from functools import partial as partial_of
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..encoders import ClipEncoder
from .attackers.base import TARGETS, Attacker
from .attackers.templates import accuracy
from .candidates import describe
from .clips import Clips, Fold, load_fold
from .controls import OF_RECOGNITION, border, by_length, by_recognition, permuted
from .encodings import describe_encodings, encode
from .ensemble import ENSEMBLE, combine, fit_weights, held_out_loss
from .members import Record, build_attacker, check_panel, looks_for_people, run_member
from .results import (
    FORMAT,
    FORMAT_VERSION,
    Cell,
    Partial,
    claim,
    fingerprint,
    finished,
    software,
    write_json,
)
from .settings import Data, Panel

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
        describe(encoder),
        data.identity(),
        panel.networks,
        panel.controls,
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
        result |= {
            'origin': origin or {},
            'date': date.today().isoformat(),
            'fingerprint': print_of_cell,
        }
        write_json(path, result)
        partial.clear()
        log(f'wrote {path}')
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
        encode(
            clips,
            encoder,
            data.sampling,
            data.mean,
            data.std,
            training=training,
            seed=cell.seed,
        )
        for clips, training in ((fold.train, True), (fold.test, False))
    )
    outputs = {target: len(fold.names(target)) for target in TARGETS}
    multi_label = train.identities.ndim == 2
    # All are built before the first is trained: a mistake in the last must not cost an hour.
    left_out = check_panel(panel.networks, outputs, train, multi_label)
    for name, reason in left_out.items():
        log(f'{cell.key}: {name} is left out: {reason}')
    present = {k: v for k, v in panel.networks.items() if k not in left_out}

    def build(name: str) -> Attacker:
        return build_attacker(name, present[name], outputs, multi_label, cell.seed, device)

    records, held_out = {}, {}
    for number, (name, config) in enumerate(present.items(), 1):
        identity = looks_for_people(config)
        kept = partial.get(name)
        if kept is None:
            log(f'{cell.key}: training {name}, {number} of {len(present)}')
            record, scores = run_member(partial_of(build, name), train, test, held_out=identity)
            kept = dict(record=record, held_out=None if scores is None else scores.tolist())
            partial.put(name, kept)
        records[name] = kept['record']
        if identity:
            held_out[name] = np.array(kept['held_out'])
        log(f'{cell.key}: {_summary(name, records[name], test)}')
    if len(held_out) > 1:
        records[ENSEMBLE] = pool_members(records, held_out, train.identities.numpy())
        log(f'{cell.key}: {_summary(ENSEMBLE, records[ENSEMBLE], test)}')
    controls = run_controls(panel, present, build, train, test, outputs, partial, cell, log)
    return {
        'format': FORMAT,
        'version': FORMAT_VERSION,
        'cell': asdict(cell),
        'attackers': records,
        'left_out': left_out,
        'chosen': choose(records),
        'controls': controls,
        'encoder': describe(encoder),
        'notes': describe_encodings(encoder, train, test),
        'data': data.identity(),
        'size': [train.channels, *train.size],
        'protocol_audit': fold.audit.to_dict(),
        'panel': panel.networks,
        'control_from': panel.control_from,
        'versions': software(),
        'machine': {
            'cpu_count': os.cpu_count(),
            'threads': torch.get_num_threads(),
            'device': torch.cuda.get_device_name(device) if 'cuda' in device else 'cpu',
        },
        'test': _describe_test(fold),
    }


def pool_members(
    records: dict[str, Record], held_out: dict[str, np.ndarray], truth: np.ndarray
) -> Record:
    """The record of the ensemble: all attackers of a panel, weighted within the training clips."""
    scores = np.stack(list(held_out.values()))
    weights, multi_label = fit_weights(scores, truth), truth.ndim == 2
    pooled = combine(scores, weights, multi_label)
    # The records hold calibrated scores: the weights count on those before.
    own = {name: records[name]['temperature_weight'] for name in held_out}
    factors = np.array([w / own[name] for name, w in zip(held_out, weights, strict=True)])

    def combined(field: str) -> list[list[float]]:
        # An attacker that can use several encodings pools them; for others there is only one.
        each = [records[name].get(field, records[name]['scores']) for name in held_out]
        return np.round(combine(np.array(each), factors, multi_label), 3).tolist()

    record: Record = {
        'target': 'identity',
        'scores': combined('scores'),
        'held_out_loss': round(held_out_loss(pooled, truth), 4),
        'held_out_accuracy': round(accuracy(pooled, truth), 6),
        'train_accuracy': None,
        'converged': all(records[name]['converged'] for name in held_out),
        'notes': {'weight': dict(zip(held_out, np.round(weights, 3).tolist(), strict=True))},
        'extras': {},
        'seconds': 0.0,
    }
    if any('scores_of_all' in records[name] for name in held_out):
        record['scores_of_all'] = combined('scores_of_all')
    return record


def choose(records: dict[str, Record]) -> str:
    """The attacker whose answers for held-out training clips are best: no test clip has a say."""
    found = {n: r['held_out_loss'] for n, r in records.items() if r['target'] == 'identity'}
    return min(found, key=lambda name: found[name])


def run_controls(
    panel: Panel,
    networks: dict[str, dict[str, Any]],
    build: Callable[[str], Attacker],
    train: Clips,
    test: Clips,
    outputs: dict[str, int],
    partial: Partial,
    cell: Cell,
    log: Log,
) -> dict[str, list[list[list[float]]]]:
    """Scores of each negative control, one set for each time that it was tried."""
    done: dict[str, Any] = {}
    if train.identities.ndim == 2:
        return done
    people, attacker = outputs['identity'], _control_attacker(networks)

    def trained(clips: Clips, asked: Clips) -> list[np.ndarray]:
        fresh = build(attacker)
        fresh.fit(clips)
        return [fresh.answer(asked).log_probs[:, 0]]

    def recognition() -> dict[str, list[np.ndarray]]:
        action = next(k for k, v in networks.items() if v.get('target') == 'action')
        return by_recognition(partial_of(build, action), train, test, people)

    jobs: dict[str, Callable[[], dict[str, list[np.ndarray]]]] = {
        'permuted': lambda: {
            'permuted': trained(permuted(train, cell.seed), test.first_encodings())
        },
        'border': lambda: {'border': trained(border(train), border(test.first_encodings()))},
        'length': lambda: {'length': [by_length(train, test, people)]},
        'recognition': recognition,
    }
    for job, run in jobs.items():
        names = OF_RECOGNITION if job == 'recognition' else (job,)
        wanted = [name for name in names if name in panel.controls]
        if not wanted:
            continue
        kept = partial.get(f'control_{job}')
        if kept is None:
            log(f'{cell.key}: control {job}')
            kept = {k: [np.round(s, 3).tolist() for s in v] for k, v in run().items()}
            partial.put(f'control_{job}', kept)
        for name in wanted:
            done[name] = kept[name]
            shares = [accuracy(np.array(s), test.identities.numpy()) for s in kept[name]]
            log(f'{cell.key}: control {name}: {np.mean(shares):.1%}')
    return done


def _control_attacker(networks: dict[str, dict[str, Any]]) -> str:
    """The attacker that permuted names and the border alone are tried with: cheap, but strong."""
    identity = [name for name, config in networks.items() if looks_for_people(config)]
    return 'template' if 'template' in identity else identity[0]


def _summary(name: str, record: Record, test: Clips) -> str:
    truth = test.target(record['target']).numpy()
    parts = [f'test {accuracy(np.array(record["scores"]), truth):.1%}']
    if 'scores_of_all' in record:
        share = accuracy(np.array(record['scores_of_all']), truth)
        parts.append(f'all encodings together {share:.1%}')
    if 'frame_hits' in record:
        parts.append(f'single frames {np.mean(record["frame_hits"]):.1%}')
    if 'held_out_accuracy' in record:
        parts.append(f'held out {record["held_out_accuracy"]:.1%}')
    if record['train_accuracy'] is not None:
        parts.append(f'train {record["train_accuracy"]:.1%}')
    parts += [f'{key} {value:.3g}' for key, value in record['extras'].items()]
    converged = '' if record['converged'] else ', not converged'
    return f'{name} ({record["target"]}): {", ".join(parts)}{converged}; {record["seconds"]} s'


def _describe_test(fold: Fold) -> dict[str, Any]:
    test = fold.test
    return {
        'ids': list(test.ids),
        'groups': list(test.groups),
        'persons': list(test.persons),
        'action': test.actions.tolist(),
        'identity': test.identities.tolist(),
        'action_names': list(fold.actions),
        'identity_names': list(fold.identities),
    }
