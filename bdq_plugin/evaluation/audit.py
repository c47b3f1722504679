"""The audit of one encoder: fresh networks on its frozen output, and what they recognise.

::

    clips of one fold --decode--> clear frames --frozen encoder--> encoded clips (in memory)
        +--> a fresh network for the action
        +--> a panel of attackers for the person  --> figures, intervals, the maximum --> one JSON
"""

from __future__ import annotations

import copy
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mmaction
import mmengine
import numpy as np
import torch
from mmengine.config import Config

from ..encoders import (
    PRESETS,
    ClipEncoder,
    build_encoder,
    load_encoder,
    load_zoo_encoder,
    read_encoder_file,
    zoo_names,
)
from ..version import __version__
from .attackers import Attacker, build_attacker, build_panel
from .clips import ENCODING_BATCH, Clips, Fold, encode, load_fold
from .figures import answers, describe, headline
from .results import FORMAT, FORMAT_VERSION, Cell, Partial, claim, fingerprint, finished, write_json
from .training import seed_everything

CONFIGS = Path(__file__).parents[2] / 'configs' / 'audit'
OUTPUTS = ('soft', 'hard')

Log = Callable[[str], None]


@dataclass(frozen=True)
class Data:
    """A data set for the audit.

    Attributes:
        name: of its config.
        dataset: config of the data set, without protocol, split and fold.
        mean, std: as ``BDQDataPreprocessor`` takes them.
    """

    name: str
    dataset: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def identity(self) -> dict[str, Any]:
        """What makes it this data, wherever the files lie."""
        places = ('data_root', 'ann_file', 'data_prefix')
        dataset = {k: v for k, v in self.dataset.items() if k not in places}
        return dict(dataset=dataset, mean=self.mean, std=self.std)


@dataclass(frozen=True)
class Panel:
    """Networks to train on an encoder's output.

    Attributes:
        name: of its config.
        networks: config of each, by name.
        learned_from: see :func:`~bdq_plugin.evaluation.figures.describe`.
    """

    name: str
    networks: dict[str, dict[str, Any]]
    learned_from: float = 0.9

    def __post_init__(self) -> None:
        targets = [network.get('target', 'identity') for network in self.networks.values()]
        if 'identity' not in targets:
            raise ValueError(f"panel '{self.name}' has no attacker: add one with target='identity'")
        if not 0 < self.learned_from <= 1:
            raise ValueError(f'learned_from is a share in (0, 1], got {self.learned_from}')


def load_data(name: str, data_root: str | None = None, ann_file: str | None = None) -> Data:
    """Read ``configs/audit/data/NAME.py``, or a config file by its path.

    Args:
        name: of the config, or its path.
        data_root: folder of the videos; by default the config's.
        ann_file: annotation file; by default the config's.
    """
    config, stem = _read_config(name, CONFIGS / 'data', 'data set')
    dataset = config.dataset.to_dict()
    if data_root is not None:
        dataset['data_prefix'] = dict(video=data_root)
    if ann_file is not None:
        dataset['ann_file'] = ann_file
    return Data(stem, dataset, tuple(config.mean), tuple(config.std))


def load_panel(name: str, overrides: dict[str, Any] | None = None) -> Panel:
    """Read ``configs/audit/NAME.py``, or a config file by its path.

    Args:
        name: of the config, or its path.
        overrides: entries to replace, such as ``{'panel.frame.recipe.epochs': 10}``.
    """
    config, stem = _read_config(name, CONFIGS, 'panel')
    if overrides:
        config.merge_from_dict(overrides)
    networks = {k: v.to_dict() for k, v in config.panel.items() if v is not None}
    return Panel(stem, networks, config.get('learned_from', 0.9))


@dataclass(frozen=True)
class Audited:
    """An encoder to audit.

    Attributes:
        name: for the results.
        encoder: as it was trained.
        origin: where it is from, JSON-ready: ``kind`` (``'file'``, ``'zoo'`` or ``'preset'``), and
            what its file says of its training.
    """

    name: str
    encoder: ClipEncoder
    origin: dict[str, Any]


def resolve_encoder(name: str, preset: str | None = None) -> Audited:
    """Find an encoder by the path of its file, its name in the zoo, or a preset.

    Args:
        name: ``encoder.json``, a checkpoint (.pth), a zoo name or a preset (untrained).
        preset: which preset a checkpoint was trained from.

    Returns:
        The encoder with its name and origin. A file's encoder is named after its folder.

    Raises:
        FileNotFoundError, ValueError: no such encoder.
    """
    path = Path(name)
    if path.suffix == '.json':
        origin = dict(kind='file', training=read_encoder_file(path)['metadata'])
        return Audited(_label(path), load_encoder(path), origin)
    if path.suffix == '.pth':
        from ..models.data_preprocessor import load_encoder_checkpoint

        if preset is None:
            raise ValueError(
                f'{path} holds numbers, not the encoder they belong to: name the preset it was '
                'trained from (--preset), or the encoder.json beside it'
            )
        encoder = build_encoder(preset)
        load_encoder_checkpoint(encoder, path)
        return Audited(_label(path), encoder, dict(kind='file', preset=preset))
    if name in zoo_names():
        return Audited(name, load_zoo_encoder(name), dict(kind='zoo'))
    if name in PRESETS:
        return Audited(name, build_encoder(name), dict(kind='preset', trained=False))
    raise ValueError(
        f"unknown encoder '{name}': give an encoder.json, a zoo name "
        f'({", ".join(zoo_names()) or "none so far"}) or a preset ({", ".join(PRESETS)})'
    )


def output_forms(encoder: ClipEncoder) -> dict[str, ClipEncoder]:
    """The forms in which an encoder's output can be had.

    Returns:
        ``'soft'`` (real numbers), and for an encoder with quantisation ``'hard'`` (whole levels),
        which is what can leave a camera. One that was trained hard has no other form.
    """
    if not getattr(encoder, 'quantizes', False):
        return {'soft': encoder}
    if encoder.quantize.mode == 'hard':
        return {'hard': encoder}
    hard = copy.deepcopy(encoder)
    hard.quantize.mode = hard.config['mode'] = 'hard'
    return {'soft': encoder, 'hard': hard}


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
        origin: where the encoder is from, stored with the result (see :class:`Audited`).
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
    fold = load_fold(data.dataset, cell.protocol, cell.fold)
    log(f'protocol {cell.protocol}, fold {cell.fold}\n{fold.audit}')
    train, test = (
        encode(clips, encoder, data.mean, data.std, cell.seed) for clips in (fold.train, fold.test)
    )
    outputs = {target: len(fold.names(target)) for target in ('identity', 'action')}
    # All are built before the first is trained: a mistake in the last must not cost an hour.
    build_panel(panel.networks, outputs, train.shape)
    wanted = {config.get('start_from') for config in panel.networks.values()}
    records = {}
    for name, config in panel.networks.items():
        record = partial.get(name)
        if record is None:
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


def _label(path: Path) -> str:
    """Name of a file's encoder: work_dirs/NAME/encoder.json is NAME."""
    name = path.parent.name if path.stem == 'encoder' or path.suffix == '.pth' else path.stem
    return name.lower().replace('-', '_')


def _read_config(name: str, folder: Path, what: str) -> tuple[Config, str]:
    path = Path(name) if name.endswith('.py') else folder / f'{name}.py'
    if not path.is_file():
        known = ', '.join(sorted(p.stem for p in folder.glob('*.py')))
        raise FileNotFoundError(f"no {what} config '{name}': choose one of {known}, or give a path")
    return Config.fromfile(str(path)), path.stem
