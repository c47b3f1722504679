"""A checkpoint is tested by the network that it was trained as, on the classes it was trained for.

MMEngine loads what fits and goes on: a head of another width stays random, and a network that
learned other classes is scored by the places of their names.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from torch import nn

from ..datasets.annotations import shorten
from ..safe_load import load_checkpoint


def check_trained_for(
    model: nn.Module,
    checkpoint: str | os.PathLike,
    metainfo: dict[str, Any],
    kinds: Collection[str],
) -> None:
    """Raise ValueError where a checkpoint is of another network, or of other classes.

    An encoder may be of a file instead (``data_preprocessor``), and checks that itself.

    Args:
        model: whose weights it should hold.
        checkpoint: a file.
        metainfo: of the data set that is tested.
        kinds: what the model's heads tell apart: ``'classes'``, ``'subjects'``, ``'attributes'``.
    """
    document = load_checkpoint(checkpoint)
    trained = document.get('meta', {}).get('dataset_meta') or {}
    for kind in sorted(kinds):
        known, asked = trained.get(kind), metainfo.get(kind)
        if known and asked and list(known) != list(asked):
            raise ValueError(
                f'{checkpoint} was trained to tell {kind} {shorten(list(known))}, but the data set '
                f'has {shorten(list(asked))}: test it on data of the same {kind}, in the same '
                'order, or train a network for these'
            )
    weights = document.get('state_dict', document)
    lacking = [
        name
        for name, value in model.named_parameters()
        if not name.startswith('data_preprocessor.')
        and (name not in weights or weights[name].shape != value.shape)
    ]
    if lacking:
        raise ValueError(
            f'{checkpoint} is of another network: it lacks, or has in another shape, '
            f'{shorten(lacking)}; name the config that it was trained by'
        )
