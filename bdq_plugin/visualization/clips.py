"""Clips to draw: from a video, or from the test split of a run or of an audit."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.registry import DefaultScope

from ..datasets.protocols import ProtocolAudit
from ..encoders import ClipEncoder
from ..evaluation.clips import audit_datasets, build_datasets, load_fold
from ..evaluation.encodings import encode
from ..evaluation.members import build_attacker
from ..evaluation.settings import Data, load_data, load_panel
from ..video.reader import open_video
from .logs import read_config


def video_clip(path: str | os.PathLike, num_frames: int = 16) -> torch.Tensor:
    """Frames spread over a video, uint8 (C, T, H, W).

    Raises:
        ValueError: a clip needs two frames or more.
    """
    if num_frames < 2:
        raise ValueError(f'a clip needs 2 frames or more, got {num_frames}')
    reader = open_video(str(path))
    indices = np.linspace(0, len(reader) - 1, num_frames).round().astype(int)
    return torch.from_numpy(reader.get_batch(indices)).permute(3, 0, 1, 2)


def run_data(
    work_dir: str | os.PathLike, data_root: str | None = None, ann_file: str | None = None
) -> tuple[dict[str, Any], str, int]:
    """The data that a run was tested on: config without its split, protocol, fold.

    Args:
        work_dir: of a run.
        data_root, ann_file: where the data are; by default as the run's config says, seen from the
            current folder.

    Raises:
        ValueError: the config names no data of this project.
    """
    datasets = _datasets(work_dir, data_root, ann_file)
    dataset = datasets.get('test') or next(iter(datasets.values()))
    for name in ('split', 'test_mode'):
        dataset.pop(name, None)
    return dataset, dataset.pop('protocol'), dataset.pop('fold', 1)


def run_split_audit(
    work_dir: str | os.PathLike, data_root: str | None = None, ann_file: str | None = None
) -> tuple[ProtocolAudit, str, int]:
    """What the split of a run lets an attacker use, with protocol and fold.

    Only the annotation is read. See :func:`run_data`.
    """
    configs = _datasets(work_dir, data_root, ann_file)
    with DefaultScope.overwrite_default_scope('mmaction'):
        datasets = {split: DATASETS.build(config) for split, config in configs.items()}
    first = next(iter(configs.values()))
    # A recipe without a validation split of its own validates on the test clips.
    if configs.get('val', {}).get('split') == 'test':
        del datasets['val']
    return audit_datasets(datasets), first['protocol'], first.get('fold', 1)


def _datasets(
    work_dir: str | os.PathLike, data_root: str | None, ann_file: str | None
) -> dict[str, dict[str, Any]]:
    """Config of the data set of each split of a run."""
    config, datasets = read_config(work_dir), {}
    for split in ('train', 'val', 'test'):
        dataset = (config.get(f'{split}_dataloader') or {}).get('dataset', {})
        if 'protocol' in dataset and 'pipeline' in dataset:
            _check_types(dataset, work_dir)
            datasets[split] = copy.deepcopy(dataset)
            # The cache would keep clips that are looked at once.
            datasets[split].pop('cache', None)
            if data_root is not None:
                datasets[split]['data_prefix'] = dict(video=data_root)
            if ann_file is not None:
                datasets[split]['ann_file'] = ann_file
    if not datasets:
        raise ValueError(f'the config in {work_dir} names no data set with a protocol')
    return datasets


def _check_types(config: dict[str, Any], work_dir: str | os.PathLike) -> None:
    """Refuse a config that names anything but registered classes.

    The run may be a stranger's, and MMEngine takes ``dict(type='os.mkdir', path=...)`` for a call.
    """
    registries = (DATASETS, TRANSFORMS, DATASETS.parent, TRANSFORMS.parent)
    known = set().union(*(registry.module_dict for registry in registries))
    for key, value in _items(config):
        if key == '_scope_' or (key == 'type' and value not in known):
            raise ValueError(
                f'the config in {work_dir} asks for {value}, which is neither a data set nor a '
                "transform: the run may be a stranger's"
            )


def _items(config: Any) -> Iterator[tuple[str, Any]]:
    """All keys with their values, those of nested configs included."""
    if isinstance(config, dict):
        yield from config.items()
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict | list | tuple):
            yield from _items(value)


def audit_data(data: str, data_root: str | None = None, ann_file: str | None = None) -> Data:
    """The data of an audit by name; see :func:`~bdq_plugin.evaluation.settings.load_data`."""
    return load_data(data, data_root, ann_file)


def test_clips(
    dataset: dict[str, Any], protocol: str, fold: int, count: int
) -> tuple[torch.Tensor, list[str]]:
    """Clips spread over the test split.

    Returns:
        uint8 (N, C, T, H, W), and the action of each.
    """
    split = build_datasets(dataset, protocol, fold)['test']
    chosen = np.unique(np.linspace(0, len(split) - 1, count).round().astype(int))
    clips = torch.stack([_one_view(split[int(i)]['inputs']) for i in chosen])
    return clips, [split.get_data_info(int(i))['action_name'] for i in chosen]


def restore_clip(
    encoder: ClipEncoder,
    video: str,
    data: Data,
    protocol: str,
    fold: int,
    epochs: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train the audit's inversion attack and let it restore a clip that it has not seen.

    Args:
        encoder: what is attacked, in the form that it has.
        video: name of a video in the test split.
        data, protocol, fold: where the attack learns, and the clip is from.
        epochs: of the attack, at most; by default the full panel's.

    Returns:
        The clear clip (uint8) and the restored one (float, in [0, 1]), both (C, T, H, W).

    Raises:
        ValueError: the test split has no such video.
    """
    clips = load_fold(data.dataset, protocol, fold)
    index = _find(clips.test.ids, Path(video).stem)
    config = copy.deepcopy(load_panel('full').networks['inversion'])
    if epochs is not None:
        config['recipe'].update(first_round=epochs, max_epochs=epochs)
    options = (data.sampling, data.mean, data.std)
    train = encode(clips.train, encoder, *options, training=True)
    test = encode(clips.test.select([index]), encoder, *options, training=False)
    attacker = build_attacker('inversion', config, dict(identity=len(clips.identities)))
    attacker.check(train)
    # The witness, who judges what is restored, is not needed for a picture.
    attacker.fit_decoder(train)
    return test.clear[0][0], attacker.restore(test.values[0][0])


def _find(ids: Sequence[str], stem: str) -> int:
    found = [i for i, name in enumerate(ids) if name.split(':')[0] == stem]
    if not found:
        raise ValueError(f'{stem} is not in the test split, which has {ids[0]}, {ids[-1]}, ...')
    return found[0]


def _one_view(inputs: torch.Tensor) -> torch.Tensor:
    """The first view of packed inputs as (C, T, H, W); 2D networks have (T, C, H, W)."""
    return inputs[0] if inputs.ndim == 5 else inputs.transpose(0, 1)
