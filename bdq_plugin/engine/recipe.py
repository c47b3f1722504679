"""Switches of the command line: one word for a value that stands in many places of a config.

A config has no switches: each of its values stands where it acts, so that a recipe means the same
to every program that reads MMEngine's configs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mmaction.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from ..datasets.protocols import get_protocol
from ..models.encoder_source import apply_encoder_switches
from .pretrained import is_type, set_pretrained, weights_in
from .schedule import stretch_schedules

# A value in a config: the dict that holds it, and its key there.
Place = tuple[dict[str, Any], str]

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_WITH_PARTS = ('encoder', 'pretrained')


def apply_switches(cfg: Config, options: dict[str, Any]) -> Config:
    """Carry switches to where they act.

    ===============  ==========================================================================
    ``data_root``    folder of the videos, of every data set
    ``ann_file``     annotation file of every data set
    ``protocol``     protocol of every data set; validation shows its ``val`` split, where it has
                     none the test split; ``protocol.ratio=60,40 protocol.group=session`` and the
                     like declare one
    ``fold``         fold of every data set
    ``max_epochs``   length of training, and of each schedule that lasts to its end
    ``encoder``      the encoder, as ``model.data_preprocessor.encoder``; ``encoder.preset`` and
                     the like change a part of it
    ``encoder_file`` the file of the encoder, a path or a name of the zoo; ``encoder`` then names
                     only what shall differ
    ``pretrained``   ``None`` turns all pre-trained weights off; ``pretrained.action`` and
                     ``pretrained.privacy`` are URLs or local paths
    ===============  ==========================================================================

    Data sets within wrappers (``RepeatDataset``, ``ConcatDataset``) are data sets like others.

    Args:
        cfg: any config; changed in place and returned.
        options: names of :data:`SWITCHES`, or parts of them (``encoder.preset``), to values.

    Raises:
        ValueError: a switch that acts nowhere in this config, or a value that it cannot have.
    """
    for option, value in _with_declared_protocol(options).items():
        switch, _, part = option.partition('.')
        if part and switch not in _WITH_PARTS:
            raise ValueError(f'{option}: {switch} has no parts; write {switch}=VALUE')
        # A variable of this name in the config would tell another story from now on.
        cfg.pop(switch, None)
        if switch == 'pretrained':
            set_pretrained(cfg, {part: value} if part else value)
            continue
        places = SWITCHES[switch](cfg)
        if not places:
            raise ValueError(f'{option}={value} acts nowhere in this config: {_MISSING[switch]}')
        if part:
            _set_part_of_encoder(cfg, part, value)
            continue
        if switch in ('encoder', 'encoder_file'):
            apply_encoder_switches(cfg.model.data_preprocessor, {switch: value})
            continue
        if switch == 'max_epochs':
            _check_length(value)
            stretch_schedules(cfg.get('param_scheduler'), cfg.train_cfg.max_epochs, value)
        for holder, key in places:
            holder[key] = value
        if switch == 'protocol':
            _choose_validation_split(cfg, value)
    return cfg


def idle_switches(cfg: Config) -> list[str]:
    """Switches that a config sets as variables of its own, and that act nowhere in it.

    ``fold = 2`` at the top of a config is a variable like any other: MMEngine reads the data set's.
    """
    idle = []
    for switch in SWITCHES.keys() & cfg.keys():
        acting = [holder.get(key) for holder, key in SWITCHES[switch](cfg)]
        wanted = cfg[switch]
        if switch == 'pretrained':
            wanted = list((wanted or {}).values())
            acts = all(path in acting for path in wanted) if wanted else not any(acting)
        else:
            acts = wanted is None or wanted in acting
        idle += [] if acts else [switch]
    return idle


# ---------------------------------------------------------------------- where a switch acts
def _data_sets(cfg: Config) -> Iterator[tuple[str, ConfigDict]]:
    """Every data set with the name of its loader, those within wrappers too."""
    for loader in _LOADERS:
        if cfg.get(loader):
            for dataset in _within(cfg[loader].dataset):
                yield loader, dataset


def _within(dataset: ConfigDict) -> Iterator[ConfigDict]:
    inner = dataset.get('datasets') or dataset.get('dataset')
    if inner is None:
        yield dataset
        return
    for each in inner if isinstance(inner, list | tuple) else [inner]:
        yield from _within(each)


def _takes(dataset: ConfigDict, key: str) -> bool:
    """Whether a data set has this argument, given in its config or not."""
    kind = dataset['type']
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    bases = () if kind is None else inspect.getmro(kind)
    return key in dataset or any(key in inspect.signature(b.__init__).parameters for b in bases)


def _arguments(key: str, cfg: Config) -> list[Place]:
    return [(dataset, key) for _, dataset in _data_sets(cfg) if _takes(dataset, key)]


def _folders(cfg: Config) -> list[Place]:
    places: list[Place] = []
    for _, dataset in _data_sets(cfg):
        if dataset.get('data_root'):
            places.append((dataset, 'data_root'))
        elif _takes(dataset, 'data_prefix'):
            if not dataset.get('data_prefix'):
                dataset['data_prefix'] = dict(video='')
            places += [(dataset['data_prefix'], key) for key in dataset['data_prefix']]
    return places


def _length(cfg: Config) -> list[Place]:
    train_cfg = cfg.get('train_cfg') or {}
    return [(train_cfg, 'max_epochs')] if 'max_epochs' in train_cfg else []


def _encoder(cfg: Config) -> list[Place]:
    preprocessor = (cfg.get('model') or {}).get('data_preprocessor') or {}
    return [(preprocessor, 'encoder')] if is_type(preprocessor, 'BDQDataPreprocessor') else []


def _encoder_file(cfg: Config) -> list[Place]:
    return [(holder[key], 'file') for holder, key in _encoder(cfg) if 'file' in holder.get(key, ())]


SWITCHES: dict[str, Callable[[Config], list[Place]]] = dict(
    protocol=partial(_arguments, 'protocol'),
    fold=partial(_arguments, 'fold'),
    ann_file=partial(_arguments, 'ann_file'),
    data_root=_folders,
    max_epochs=_length,
    encoder=_encoder,
    encoder_file=_encoder_file,
    pretrained=weights_in,
)
ACTS_AT = dict(
    protocol='dataset.protocol of each loader',
    fold='dataset.fold of each loader',
    ann_file='dataset.ann_file of each loader',
    data_root='dataset.data_prefix of each loader',
    max_epochs='train_cfg.max_epochs',
    encoder='model.data_preprocessor.encoder',
    encoder_file='model.data_preprocessor.encoder.file',
    pretrained='backbone.pretrained, and default_hooks.action_weights.checkpoint',
)
_MISSING = dict(
    protocol='none of its data sets has protocols',
    fold='none of its data sets has folds',
    ann_file='none of its data sets has an annotation file',
    data_root='none of its data sets has a folder',
    max_epochs='train_cfg counts no epochs',
    encoder='model.data_preprocessor is no BDQDataPreprocessor',
    encoder_file='model.data_preprocessor is no BDQDataPreprocessor',
)


# ---------------------------------------------------------------------- what it does there
def _check_length(epochs: int) -> None:
    if not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f'max_epochs counts epochs and must be 1 or more, got {epochs!r}')


def _with_declared_protocol(options: dict[str, Any]) -> dict[str, Any]:
    """Options with ``protocol.KEY=VALUE`` put together to one declaration."""
    first = 'protocol.'
    declared = {k.removeprefix(first): v for k, v in options.items() if k.startswith(first)}
    if not declared:
        return options
    if 'protocol' in options:
        raise ValueError(
            f'protocol={options["protocol"]} names a protocol, and {first}{next(iter(declared))} '
            'declares one: keep one of them'
        )
    others = {k: v for k, v in options.items() if not k.startswith(first)}
    return dict(others, protocol=declared)


def _choose_validation_split(cfg: Config, protocol: str | dict[str, Any]) -> None:
    for loader, dataset in _data_sets(cfg):
        family = getattr(DATASETS.get(dataset.type), 'FAMILY', None)
        has_val = 'val' in get_protocol(protocol, family).splits
        split, other = ('val', 'test') if has_val else ('test', 'val')
        if loader == 'val_dataloader' and dataset.get('split') == other:
            dataset.split = split
            print_log(f'protocol {protocol!r}: validation shows its {split} split', 'current')


def _set_part_of_encoder(cfg: Config, part: str, value: Any) -> None:
    """Change an argument; another preset or type takes the place of the one that is there."""
    preprocessor = cfg.model.data_preprocessor
    if isinstance(preprocessor.encoder, str):
        preprocessor.encoder = dict(preset=preprocessor.encoder)
    if part in ('preset', 'type'):
        preprocessor.encoder.pop('type' if part == 'preset' else 'preset', None)
    cfg.merge_from_dict({f'model.data_preprocessor.encoder.{part}': value})
