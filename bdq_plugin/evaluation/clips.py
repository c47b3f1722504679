"""The clips of one fold: decoded once, encoded once, then kept in memory.

Names carry their dimensions: N clips, E encodings of a clip, C channels, T frames, H rows, W
columns, K attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from torch import Tensor

from ..datasets import ProtocolAudit, audit_protocol, get_protocol
from ..progress import track


@dataclass(frozen=True)
class Clips:
    """Clips of one split, clear or encoded.

    Attributes:
        values: of each clip its encodings, E tensors (C, T, H, W): uint8 frames in clear, float16
            in the networks' range once encoded. T differs from clip to clip where whole clips are
            looked at; E is the same for all. The first encoding is the one that left the camera.
        clear: the uint8 frames that an encoding was made of, which only an inversion attacker's
            training and the score of its output may use.
        actions: labels, LongTensor (N,).
        identities: who it is, LongTensor (N,), or attributes, 0 or 1, FloatTensor (N, K).
        persons: the name of the person in each clip.
        ids: a name for each clip.
        groups: the performance that each clip shows (see :mod:`bdq_plugin.datasets.protocols`).
        units: what the protocol holds out to test, such as the take: recipes are chosen by leaving
            out one unit of the training clips in turn.
        lengths: frames of each whole clip, LongTensor (N,).
    """

    values: tuple[tuple[Tensor, ...], ...]
    clear: tuple[tuple[Tensor, ...], ...]
    actions: Tensor
    identities: Tensor
    persons: tuple[str, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    units: tuple[str, ...]
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.values)

    @property
    def num_encodings(self) -> int:
        """E."""
        return len(self.values[0])

    @property
    def channels(self) -> int:
        """C."""
        return self.values[0][0].shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return tuple(self.values[0][0].shape[-2:])

    @property
    def shortest(self) -> int:
        """The least T."""
        return min(x.shape[1] for encodings in self.values for x in encodings)

    def target(self, name: str) -> Tensor:
        """Labels by name, ``'action'`` or ``'identity'``."""
        return {'action': self.actions, 'identity': self.identities}[name]

    def select(self, index: Sequence[int] | np.ndarray) -> Clips:
        """Some of the clips, in the order of ``index``."""
        chosen = [int(i) for i in index]
        tensors = ('actions', 'identities', 'lengths')
        names = ('values', 'clear', 'persons', 'ids', 'groups', 'units')
        return replace(
            self,
            **{name: tuple(getattr(self, name)[i] for i in chosen) for name in names},
            **{name: getattr(self, name)[chosen] for name in tensors},
        )

    def first_encodings(self, count: int = 1) -> Clips:
        """The same clips with their first encodings alone."""
        return replace(
            self,
            values=tuple(encodings[:count] for encodings in self.values),
            clear=tuple(encodings[:count] for encodings in self.clear),
        )


def leave_one_unit_out(clips: Clips) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices of the clips to learn from and to judge by, once for each unit.

    Raises:
        ValueError: there is a single unit.
    """
    units = np.array(clips.units)
    names = np.unique(units)
    if len(names) < 2:
        raise ValueError(
            f"all training clips are of one unit, '{names[0]}': recipes are chosen by leaving one "
            'out, so an audit needs two or more (takes, scenarios, sessions) beside the one that '
            'is tested'
        )
    return [(np.flatnonzero(units != name), np.flatnonzero(units == name)) for name in names]


@dataclass(frozen=True)
class Fold:
    """One fold of a protocol, decoded.

    Attributes:
        train, test: its clips, in clear.
        audit: what the protocol lets an attacker use.
        actions, identities: names of the classes (or attributes).
    """

    train: Clips
    test: Clips
    audit: ProtocolAudit
    actions: tuple[str, ...]
    identities: tuple[str, ...]

    def names(self, target: str) -> tuple[str, ...]:
        """Class names of ``'action'`` or ``'identity'``."""
        return {'action': self.actions, 'identity': self.identities}[target]


def build_datasets(dataset: dict[str, Any], protocol: str, fold: int) -> dict[str, Any]:
    """The data set of each split, without decoding anything.

    Args:
        dataset: config of a data set without ``protocol``, ``split`` and ``fold``.
        protocol: name of a protocol.
        fold: from 1.

    Raises:
        ValueError: unknown protocol or fold (see :class:`bdq_plugin.datasets.SubjectVideoDataset`).
    """
    with DefaultScope.overwrite_default_scope('mmaction'):
        return {
            split: DATASETS.build(
                dict(dataset, protocol=protocol, fold=fold, split=split, test_mode=True)
            )
            for split in get_protocol(protocol, _family(dataset)).splits
        }


def count_folds(dataset: dict[str, Any], protocol: str) -> int:
    """How many folds a protocol has on a data set, without decoding anything."""
    built, chosen = build_datasets(dataset, protocol, 1), get_protocol(protocol, _family(dataset))
    rows = [row for split in built.values() for row in split.protocol_rows()]
    return chosen.count_folds(rows)


def audit_datasets(datasets: dict[str, Any]) -> ProtocolAudit:
    """Audit a protocol on the very clips that are used."""
    return audit_protocol({split: dataset.protocol_rows() for split, dataset in datasets.items()})


def load_fold(
    dataset: dict[str, Any],
    protocol: str,
    fold: int,
    log: Callable[[str], None] = print,
) -> Fold:
    """Check a fold and decode its clips.

    Args:
        dataset, protocol, fold: see :func:`build_datasets`.
        log: receives the audit of the protocol, before anything is decoded.

    Raises:
        ValueError: identity is not defined on this fold, or it has too few clips.
    """
    datasets, audit, attributes = _checked(dataset, protocol, fold, log)
    metainfo = datasets['train'].metainfo
    decoded = {split: decode(datasets[split]) for split in ('train', 'test')}
    if attributes:
        check_attributes(decoded['test'].identities, 'test')
        count = decoded['train'].identities.shape[1]
        names = metainfo.get('attributes') or [f'attribute {k}' for k in range(count)]
    else:
        names = metainfo['subjects']
    return Fold(**decoded, audit=audit, actions=tuple(metainfo['classes']), identities=tuple(names))


def check_folds(dataset: dict[str, Any], protocol: str, folds: Sequence[int]) -> None:
    """Raise ValueError where one of the folds cannot be audited, before the first of them is.

    Args:
        dataset, protocol: see :func:`build_datasets`.
        folds: from 1.
    """
    for fold in folds:
        _checked(dataset, protocol, fold)


def _checked(
    dataset: dict[str, Any],
    protocol: str,
    fold: int,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, Any], ProtocolAudit, bool]:
    """Data sets of a fold that can be audited, its audit, and whether identities are attributes."""
    datasets = build_datasets(dataset, protocol, fold)
    audit = audit_datasets(datasets)
    log(f'protocol {protocol}, fold {fold}\n{audit}')
    attributes = 'gt_attributes' in datasets['test'][0]['data_samples']
    check_fold(audit, protocol, fold, attributes)
    check_people(datasets['train'], attributes)
    return datasets, audit, attributes


def check_fold(audit: ProtocolAudit, protocol: str, fold: int, attributes: bool = False) -> None:
    """Raise ValueError where a fold cannot tell how well people are recognised.

    Attributes (gender, skin colour, ...) are the same for people whom no attacker has seen, so they
    need nobody on both sides.
    """
    if not (audit.identity_defined or attributes):
        raise ValueError(
            f"protocol '{protocol}', fold {fold}: {audit.findings[0]}, for no attacker can know "
            'whom it has not seen: audit with a protocol that has every person on both sides (a '
            'take, scenario or session held out), and record these people again, or leave them '
            'out (subjects=[...], or without their rows); tools/verify.py asks the other question, '
            'whether two clips are of one person, of people whom no matcher has seen'
        )
    people = audit.totals['test']['subjects']
    fewest = min(audit.clips['train'], audit.clips['test'])
    if not attributes and (people < 2 or fewest < 2 * people):
        raise ValueError(
            f"fold {fold} of protocol '{protocol}' has {audit.clips['train']} train and "
            f'{audit.clips["test"]} test clips, of {people} people: an audit needs two people or '
            'more, with two clips each on both sides; take more actions or people, another '
            'protocol, or other folds alone (--fold)'
        )


def check_people(train: Any, attributes: bool = False) -> None:
    """Raise ValueError where a recipe could not be chosen within a training data set."""
    units: dict[str, set[str]] = {}
    classes = Counter()
    for index in range(len(train)):
        item = train.get_data_info(index)
        person = str(item.get('person', item.get('subject_name')))
        units.setdefault(person, set()).add(str(item['held_out']))
        classes[item['label']] += 1
    every = set().union(*units.values())
    if len(every) < 2:
        raise ValueError(
            f"all training clips are of one unit, '{every.pop()}': recipes are chosen by leaving "
            'one out, so an audit needs two or more (takes, scenarios, sessions) beside the one '
            'that is tested'
        )
    alone = sorted(name for name, seen in units.items() if len(seen) < 2)
    if alone and not attributes:
        raise ValueError(
            f'{", ".join(alone)}: training clips of a single unit ({", ".join(sorted(every)[:5])} '
            'are the units); an attacker is judged by leaving one out, which leaves nothing of '
            'these people: add clips, or leave them out (subjects=[...])'
        )
    rare = [train.metainfo['classes'][label] for label, count in classes.items() if count < 2]
    if rare:
        raise ValueError(
            f'{", ".join(rare)}: a single training clip, from which nothing can be learned: add '
            'clips, or leave the action out (actions=[...])'
        )


def check_attributes(truth_NK: Tensor, split: str) -> None:
    """Raise ValueError where no clip has any attribute: average precision is undefined."""
    if not truth_NK.any():
        raise ValueError(f'the {split} split has none of the attributes: nothing can be scored')


def decode(dataset: Any) -> Clips:
    """Decode every clip of a data set through its pipeline.

    Raises:
        ValueError: frames differ in size, or a clip lacks a label.
    """
    inputs, actions, identities, items = [], [], [], []
    for index in track(range(len(dataset)), f'decoding {len(dataset)} clips'):
        packed = dataset[index]
        sample, item = packed['data_samples'], dataset.get_data_info(index)
        inputs.append(_one_view(packed['inputs']))
        actions.append(int(sample.gt_label))
        identities.append(_identity(sample, item))
        items.append(item)
    shapes = {(clip.shape[0], *clip.shape[2:]) for clip in inputs}
    if len(shapes) > 1:
        raise ValueError(
            f'clips have different shapes, such as {sorted(shapes)[:2]}: resize them to one size '
            "in the pipeline, dict(type='Resize', scale=(W, H), keep_ratio=False)"
        )
    clear = tuple((clip,) for clip in inputs)
    return Clips(
        values=clear,
        clear=clear,
        actions=torch.tensor(actions),
        identities=torch.stack(identities),
        persons=tuple(str(item.get('person', item.get('subject_name'))) for item in items),
        ids=tuple(clip_id(item) for item in items),
        groups=tuple(item['recording'] for item in items),
        units=tuple(str(item['held_out']) for item in items),
        lengths=torch.tensor([item['num_frames'] for item in items]),
    )


def clip_id(item: dict[str, Any]) -> str:
    """The file's name, with the frames where a file holds several clips."""
    stem = Path(item['filename']).stem
    return f'{stem}:{item["start_index"]}-{item["end_frame"]}' if 'sequence' in item else stem


def _family(dataset: dict[str, Any]) -> str:
    """Whose named protocols a data set's config may name."""
    cls = DATASETS.get(dataset['type'])
    if cls is None:
        raise ValueError(f"no data set '{dataset['type']}' is registered")
    return getattr(cls, 'FAMILY', '')


def _one_view(inputs: Tensor) -> Tensor:
    """The one view, (C, T, H, W), of packed inputs (1, C, T, H, W)."""
    if inputs.ndim != 5 or len(inputs) != 1:
        raise ValueError(
            f'the pipeline gives {tuple(inputs.shape)}, the audit reads (1, C, T, H, W): use '
            "num_clips=1, one crop, and dict(type='FormatShape', input_format='NCTHW')"
        )
    return inputs[0]


def _identity(sample: Any, item: dict[str, Any]) -> Tensor:
    """Attributes where the sample has them, else the subject."""
    if 'gt_attributes' in sample:
        return sample.gt_attributes.float()
    if 'gt_subject' not in sample:
        raise ValueError(
            f'{item["filename"]} has neither subject nor attributes: end the pipeline with '
            "dict(type='PackSubjectInputs')"
        )
    return sample.gt_subject[0]
