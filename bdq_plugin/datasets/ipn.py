"""IPN Hand (Benitez-Garcia, Olivares-Mercado, Sanchez-Perez, Yanai, ICPR 2020): 13 hand gestures of
50 people in 200 videos of 640 x 480, with the gender of each person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from mmaction.registry import DATASETS

from .clips import SubjectVideoDataset

# As the data set codes them: no gesture, pointing with one and two fingers, and eleven more.
IPN_ACTIONS = ('D0X', 'B0A', 'B0B', *(f'G{n:02d}' for n in range(1, 12)))
IPN_ACTION_SETS = {'gestures': IPN_ACTIONS[1:]}
IPN_GENDERS = ('man', 'woman')


@DATASETS.register_module()
class IPNDataset(SubjectVideoDataset):
    """The gestures of IPN Hand; what is to be hidden is the person's gender, as in the paper.

    Arguments as :class:`SubjectVideoDataset`. The protocol is the data set's own split, 148 videos
    to train and 52 to test, by the column ``split``: no person stands on both sides. ``actions`` is
    ``'gestures'`` by default (13), or ``'all'``, with ``D0X``, no gesture (14).

    Example:
        >>> dict(type='IPNDataset', ann_file='ipn.csv', data_prefix=dict(video='data/ipn/videos'),
        ...      split='train', pipeline=[...])
    """

    METAINFO: ClassVar[dict] = dict(classes=IPN_ACTIONS)
    FAMILY = 'ipn'
    ACTION_SETS = IPN_ACTION_SETS

    def __init__(
        self,
        ann_file: str,
        pipeline: list,
        protocol: str | dict = 'split',
        privacy: str | Sequence[str] | None = 'gender',
        actions: str | Sequence[str] | None = 'gestures',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            ann_file, pipeline, protocol=protocol, privacy=privacy, actions=actions, **kwargs
        )
