"""A checkpoint is tested on the classes it was trained for.

MMEngine loads it and goes on: a network that learned other classes is scored by the places of their
names.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from ..datasets.annotations import shorten
from ..safe_load import load_checkpoint


def check_trained_for(
    checkpoint: str | os.PathLike,
    metainfo: dict[str, Any],
    kinds: Collection[str],
) -> None:
    """Raise ValueError where a checkpoint is of other classes.

    Args:
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
