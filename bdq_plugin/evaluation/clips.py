"""The clips of one fold: decoded once, encoded once, then kept in memory as tensors.

Names carry their dimensions: N clips, C channels, T frames, H rows, W columns, K attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.registry import DefaultScope
from torch import Tensor

from ..datasets import ProtocolAudit, audit_protocol, get_protocol
from ..encoders import ClipEncoder
from ..models.data_preprocessor import BDQDataPreprocessor
from ..progress import track

# Encoders whose range is that of the batch are encoded in batches of this size, in a fixed order.
ENCODING_BATCH = 16


@dataclass(frozen=True)
class Clips:
    """Clips of one split.

    Attributes:
        values: what a network sees, (N, C, T, H, W): uint8 frames before encoding, float32 after.
        clear: the uint8 frames before encoding, which only an inversion attacker's training and
            the score of its output may use.
        actions: labels, LongTensor (N,).
        identities: who it is, LongTensor (N,), or attributes, 0 or 1, FloatTensor (N, K).
        ids: a name for each clip.
        groups: the performance that each clip shows (see :mod:`bdq_plugin.datasets.protocols`).
    """

    values: Tensor
    clear: Tensor
    actions: Tensor
    identities: Tensor
    ids: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, T, H, W) of one clip."""
        return tuple(self.values.shape[1:])

    def target(self, name: str) -> Tensor:
        """Labels by name, ``'action'`` or ``'identity'``."""
        return {'action': self.actions, 'identity': self.identities}[name]


@dataclass(frozen=True)
class Fold:
    """One fold of a protocol, decoded.

    Attributes:
        train, test: its clips.
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
            for split in get_protocol(protocol, DATASETS.get(dataset['type']).FAMILY).splits
        }


def audit_datasets(datasets: dict[str, Any]) -> ProtocolAudit:
    """Audit a protocol on the very clips that are used."""
    return audit_protocol({split: dataset.protocol_rows() for split, dataset in datasets.items()})


def load_fold(
    dataset: dict[str, Any], protocol: str, fold: int, log: Callable[[str], None] = print
) -> Fold:
    """Check a fold and decode its clips.

    Args:
        dataset, protocol, fold: see :func:`build_datasets`.
        log: receives the audit of the protocol, before anything is decoded.

    Raises:
        ValueError: identity is not defined on this fold, or it has too few clips.
    """
    datasets = build_datasets(dataset, protocol, fold)
    audit = audit_datasets(datasets)
    log(f'protocol {protocol}, fold {fold}\n{audit}')
    attributes = 'gt_attributes' in datasets['test'][0]['data_samples']
    check_fold(audit, protocol, fold, attributes)
    metainfo = datasets['train'].metainfo
    decoded = {split: decode(datasets[split]) for split in ('train', 'test')}
    if attributes:
        check_attributes(decoded['test'].identities, 'test')
        count = decoded['train'].identities.shape[1]
        names = metainfo.get('attributes') or [f'attribute {k}' for k in range(count)]
    else:
        names = metainfo['subjects']
    return Fold(**decoded, audit=audit, actions=tuple(metainfo['classes']), identities=tuple(names))


def check_fold(audit: ProtocolAudit, protocol: str, fold: int, attributes: bool = False) -> None:
    """Raise ValueError where a fold cannot tell how well people are recognised.

    Attributes (gender, skin colour, ...) are the same for people whom no attacker has seen, so they
    need nobody on both sides.
    """
    if not (audit.identity_defined or attributes):
        raise ValueError(
            f"protocol '{protocol}' holds people out of train, so no attacker can know them: "
            "audit with a protocol that has every person on both sides, such as IXMAS's 'take' or "
            "KTH's 'scenario'"
        )
    people = audit.totals['test']['subjects']
    fewest = min(audit.clips['train'], audit.clips['test'])
    if not attributes and (people < 2 or fewest < 2 * people):
        raise ValueError(
            f"fold {fold} of protocol '{protocol}' has {audit.clips['train']} train and "
            f'{audit.clips["test"]} test clips, of {people} people: an audit needs two people or '
            'more, with two clips each on both sides; take more actions or people, or another '
            'protocol'
        )


def check_attributes(truth_NK: Tensor, split: str) -> None:
    """Raise ValueError where no clip has any attribute: average precision is undefined."""
    if not truth_NK.any():
        raise ValueError(f'the {split} split has none of the attributes: nothing can be scored')


def decode(dataset: Any) -> Clips:
    """Decode every clip of a data set through its pipeline.

    Raises:
        ValueError: clips differ in shape, or lack a label.
    """
    inputs, actions, identities, ids, groups = [], [], [], [], []
    for index in track(range(len(dataset)), f'decoding {len(dataset)} clips'):
        packed = dataset[index]
        sample, item = packed['data_samples'], dataset.get_data_info(index)
        inputs.append(_one_view(packed['inputs']))
        actions.append(int(sample.gt_label))
        identities.append(_identity(sample, item))
        ids.append(clip_id(item))
        groups.append(item['recording'])
    shapes = {tuple(clip.shape) for clip in inputs}
    if len(shapes) > 1:
        raise ValueError(
            f'clips have different shapes, such as {sorted(shapes)[:2]}: resize them to one size '
            "in the pipeline, dict(type='Resize', scale=(W, H), keep_ratio=False)"
        )
    clear = torch.stack(inputs)
    return Clips(
        clear, clear, torch.tensor(actions), torch.stack(identities), tuple(ids), tuple(groups)
    )


def clip_id(item: dict[str, Any]) -> str:
    """The file's name, with the frames where a file holds several clips."""
    stem = Path(item['filename']).stem
    return f'{stem}:{item["start_index"]}-{item["end_frame"]}' if 'sequence' in item else stem


@torch.no_grad()
def encode(
    clips: Clips, encoder: ClipEncoder, mean: Sequence[float], std: Sequence[float], seed: int = 0
) -> Clips:
    """Replace clear frames by what a network sees of an encoder's output.

    The encoder is frozen, and the output normalised as in training (``BDQDataPreprocessor``). Clips
    are encoded in their order in batches of ``ENCODING_BATCH``, which matters to encoders whose
    range is that of the batch.

    Args:
        clips: clear clips, uint8.
        encoder: in the form that is audited.
        mean, std: as ``BDQDataPreprocessor`` takes them.
        seed: of the dither, where the encoder has one.

    Raises:
        ValueError: the output cannot feed a network: not finite, or without frames.
    """
    preprocessor = BDQDataPreprocessor('pass_through', frozen=True, mean=mean, std=std)
    preprocessor.encoder = encoder.eval()
    torch.manual_seed(seed)
    values = torch.cat([preprocessor.encode(batch) for batch in clips.clear.split(ENCODING_BATCH)])
    name = type(encoder).__name__
    if values.ndim != 5 or not values.numel():
        raise ValueError(
            f'{name} gives {tuple(values.shape)}, which no attacker can read: the output must be '
            'a clip (N, C, T, H, W)'
        )
    if not torch.isfinite(values).all():
        raise ValueError(f'{name} gives values that are not finite: its numbers are broken')
    return replace(clips, values=values.float())


@TRANSFORMS.register_module()
class ShuffleChunks(BaseTransform):
    """Cut a clip into chunks of consecutive frames and put these in random order.

    The temporal control: what survives does not live on the order of things. It stands behind the
    transform that samples frames and maps ``frame_inds`` (those of the clip as it would be after
    the shuffle) to frames of the video. A clip's order depends on its name and ``seed`` alone. The
    earlier group's control data set did the same to 32-frame clips.

    Args:
        chunk_len: frames of a chunk; the last one of a clip may be shorter.
        seed: another seed gives other orders.
    """

    def __init__(self, chunk_len: int = 8, seed: int = 0) -> None:
        if chunk_len < 1:
            raise ValueError(f'chunk_len must be 1 or more frames, got {chunk_len}')
        self.chunk_len, self.seed = chunk_len, seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Map ``results['frame_inds']``."""
        total, start = results['total_frames'], results['start_index']
        if total <= self.chunk_len:
            raise ValueError(
                f'{results["filename"]} has {total} frames, a single chunk of {self.chunk_len}: '
                'there is nothing to shuffle; set a smaller chunk_len'
            )
        name = f'{self.seed}/{Path(results["filename"]).name}/{start}'
        rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
        chunks = np.split(np.arange(total), range(self.chunk_len, total, self.chunk_len))
        order = rng.permutation(len(chunks))
        while (order == np.arange(len(chunks))).all():
            order = rng.permutation(len(chunks))
        frames = np.concatenate([chunks[i] for i in order])
        inds = np.asarray(results['frame_inds']) - start
        results['frame_inds'] = (frames[inds] + start).astype(np.int32)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(chunk_len={self.chunk_len}, seed={self.seed})'


def shuffled(dataset: dict[str, Any], chunk_len: int = 8) -> dict[str, Any]:
    """A data set's config with :class:`ShuffleChunks` right before its frames are decoded."""
    pipeline = list(dataset['pipeline'])
    types = [step['type'] for step in pipeline]
    if 'ClipDecode' not in types:
        raise ValueError(f'the pipeline has no ClipDecode to shuffle frames before: {types}')
    pipeline.insert(types.index('ClipDecode'), dict(type='ShuffleChunks', chunk_len=chunk_len))
    return dict(dataset, pipeline=pipeline)


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
