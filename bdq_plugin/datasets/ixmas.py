"""IXMAS, ROI version (Weinland, Ronfard, Boyer, CVIU 2006; EPFL): 12 actions, 3 takes, 5
cameras."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mmaction.registry import DATASETS

from .clips import SubjectVideoDataset

# In the order of their numbers in the file names, 01 to 12.
IXMAS_NUMBERED_ACTIONS = (
    'check-watch',
    'cross-arms',
    'scratch-head',
    'sit-down',
    'get-up',
    'turn-around',
    'walk',
    'wave',
    'punch',
    'kick',
    'point',
    'pick-up',
)
IXMAS_ACTIONS = tuple(sorted(IXMAS_NUMBERED_ACTIONS))
IXMAS_ACTION_SETS = {
    'six': ('check-watch', 'get-up', 'kick', 'point', 'sit-down', 'walk'),
}
IXMAS_SUBJECTS = (
    'alba',
    'amel',
    'andreas',
    'chiara',
    'clare',
    'daniel',
    'florian',
    'hedlena',
    'julien',
    'nicolas',
)
IXMAS_COLUMNS = ('video', 'action', 'subject', 'take', 'camera', 'num_frames')
IXMAS_SELECTED_720 = Path(__file__).parent / 'index' / 'ixmas_selected_720.txt'

_NAME = re.compile(
    r'([a-z]+)([1-3])_(\d\d)_([a-z]+(?:-[a-z]+)*)_cam([0-4])_frames_(\d+)_(\d+)', re.ASCII
)


@dataclass(frozen=True)
class IXMASName:
    """What the name of an IXMAS video says; frames are those of the whole take, ends included."""

    subject: str
    take: int
    action: str
    camera: int
    first_frame: int
    last_frame: int


def parse_ixmas_name(stem: str) -> IXMASName:
    """Read ``SUBJECTk_NN_ACTION_camC_frames_A_B``.

    Args:
        stem: File name without its extension.

    Raises:
        ValueError: The name has another form, or number and action disagree.
    """
    match = _NAME.fullmatch(stem)
    if match is None:
        raise ValueError(
            f'{stem!r} is not an IXMAS name such as alba1_01_check-watch_cam0_frames_0053_0097'
        )
    subject, take, number, action, camera, first, last = match.groups()
    if not 1 <= int(number) <= 12 or IXMAS_NUMBERED_ACTIONS[int(number) - 1] != action:
        raise ValueError(f'{stem!r}: action {number} of IXMAS is not {action!r}')
    if int(last) < int(first):
        raise ValueError(f'{stem!r}: frames {first} to {last} run backwards')
    return IXMASName(subject, int(take), action, int(camera), int(first), int(last))


@DATASETS.register_module()
class IXMASDataset(SubjectVideoDataset):
    """The clips of IXMAS. Arguments as :class:`SubjectVideoDataset`.

    Protocols: ``take`` (3 folds; fold 3 trains on takes 1 and 2), ``seed``, ``subject`` (5 folds),
    ``view`` (5 folds, one a camera). ``actions`` is ``'six'`` by default (the seed's check-watch,
    get-up, kick, point, sit-down, walk), ``'all'`` for the twelve, or a list.

    Example:
        >>> dict(type='IXMASDataset', data_root='data/ixmas', ann_file='ixmas.csv',
        ...      data_prefix=dict(video='videos'), protocol='take', split='train', fold=3,
        ...      pipeline=[...])
    """

    METAINFO: ClassVar[dict] = dict(classes=IXMAS_ACTIONS, subjects=IXMAS_SUBJECTS)
    FAMILY = 'ixmas'
    COLUMNS = IXMAS_COLUMNS
    PROTOCOL_FIELDS = ('take', 'camera')
    ACTION_SETS = IXMAS_ACTION_SETS

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        protocol: str | dict = 'take',
        actions: str | Sequence[str] | None = 'six',
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, pipeline, protocol=protocol, actions=actions, **kwargs)
