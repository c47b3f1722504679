"""SBU Kinect Interaction (Yun, Honorio, Chattopadhyay, Berg, Samaras, CVPRW 2012): 8 interactions
of 7 people in 21 ordered pairs, 282 sequences of frames at 640 x 480."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from mmaction.registry import DATASETS

from .clips import SubjectVideoDataset

# In the order of their folders, 01 to 08.
SBU_NUMBERED_ACTIONS = (
    'approaching',
    'departing',
    'kicking',
    'pushing',
    'shaking-hands',
    'hugging',
    'exchanging',
    'punching',
)
# The 21 ordered pairs are 13 pairs of people.
SBU_PAIRS = (
    's01s02',
    's01s03',
    's01s07',
    's02s03',
    's02s04',
    's02s05',
    's02s06',
    's02s07',
    's03s04',
    's03s05',
    's03s06',
    's03s07',
    's04s06',
)
# The 94 sequences that test in the released code of the paper; the other 188 train.
SBU_TEST = Path(__file__).parent / 'index' / 'sbu_test.txt'


def sbu_pair(folder: str) -> str:
    """The pair of people of a set: ``'s02s01'`` and ``'s01s02'`` are one.

    Raises:
        ValueError: No such set.
    """
    pair = ''.join(sorted((folder[:3], folder[3:])))
    if len(folder) != 6 or pair not in SBU_PAIRS:
        raise ValueError(f'{folder!r} is no set of SBU Kinect Interaction, such as s01s02')
    return pair


@DATASETS.register_module()
class SBUDataset(SubjectVideoDataset):
    """The sequences of SBU Kinect Interaction; the "person" is the pair of people.

    Arguments as :class:`SubjectVideoDataset`. The protocol is the released split of the paper, 188
    to train and 94 to test, by the column ``split``. It was drawn at random: every set of people
    stands on both sides.

    Example:
        >>> dict(type='SBUDataset', ann_file='sbu.csv', data_prefix=dict(video='data/sbu/videos'),
        ...      split='train', pipeline=[...])
    """

    METAINFO: ClassVar[dict] = dict(classes=tuple(sorted(SBU_NUMBERED_ACTIONS)), subjects=SBU_PAIRS)
    FAMILY = 'sbu'

    def __init__(
        self, ann_file: str, pipeline: list, protocol: str | dict = 'split', **kwargs: Any
    ) -> None:
        super().__init__(ann_file, pipeline, protocol=protocol, **kwargs)
