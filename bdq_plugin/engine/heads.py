"""Heads as wide as the data: the class counts that a config leaves open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mmaction.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def follow_data(cfg: Config, read: Callable[[], dict[str, Any]] | None = None) -> Config:
    """Fill in ``num_classes`` of every ``cls_head`` that has none, or ``None``.

    An action head has as many as the data has actions, a ``PrivacyHead`` as many as it has people,
    or attributes. Heads that say a number keep it.

    Args:
        cfg: a config; changed in place and returned.
        read: gives names of ``classes``, ``subjects`` and ``attributes``, such as a checkpoint
            keeps; by default those of the training set. Not called where every head has its number.

    Raises:
        ValueError: nothing names what a head is to tell apart.
    """
    metainfo: dict[str, Any] | None = None
    for where, head in _heads(cfg.model, 'model'):
        if head.get('num_classes') is not None:
            continue
        if metainfo is None:
            metainfo = read() if read else _metainfo_of(cfg)
        kind = _kind_of(head)
        if not metainfo.get(kind):
            raise ValueError(
                f'{where}.num_classes is not set, and the data set names no {kind}: set it'
            )
        head.num_classes = len(metainfo[kind])
    return cfg


def kinds_of(model: ConfigDict) -> set[str]:
    """What the heads of a model tell apart: ``'classes'``, ``'subjects'``, ``'attributes'``."""
    return {_kind_of(head) for _, head in _heads(model, 'model')}


def read_metainfo(dataset: dict[str, Any]) -> dict[str, Any]:
    """What a data set, wrapped or not, says of itself, without decoding anything.

    Args:
        dataset: its config. Of a ``ConcatDataset``, the first part is read: all must agree.
    """
    inner = dataset.get('dataset') or next(iter(dataset.get('datasets') or ()), None)
    if inner is not None:
        return read_metainfo(inner)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(dataset, lazy_init=True)).metainfo


def _metainfo_of(cfg: Config) -> dict[str, Any]:
    loaders = [cfg[name] for name in _LOADERS if cfg.get(name)]
    return read_metainfo(loaders[0].dataset) if loaders else {}


def _kind_of(head: ConfigDict) -> str:
    if head.type != 'PrivacyHead':
        return 'classes'
    return 'attributes' if head.get('attributes') else 'subjects'


def _heads(model: ConfigDict, where: str) -> Iterator[tuple[str, ConfigDict]]:
    for name, part in model.items():
        if not isinstance(part, dict):
            continue
        if name == 'cls_head':
            yield f'{where}.{name}', part
        else:
            yield from _heads(part, f'{where}.{name}')
