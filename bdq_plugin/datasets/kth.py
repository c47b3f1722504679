"""KTH (Schuldt, Laptev, Caputo, ICPR 2004): 25 people, 6 actions, 4 scenarios, 599 videos."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mmaction.registry import DATASETS

from .clips import SubjectVideoDataset

KTH_ACTIONS = ('boxing', 'handclapping', 'handwaving', 'jogging', 'running', 'walking')
KTH_SUBJECTS = tuple(f'person{n:02d}' for n in range(1, 26))
KTH_COLUMNS = (
    'video',
    'action',
    'subject',
    'scenario',
    'sequence',
    'start_frame',
    'end_frame',
    'num_frames',
)
KTH_INDEX = Path(__file__).parent / 'index' / '00sequences.txt'

_MAX_SEQUENCES = 4
_NAME = re.compile(rf'(person\d\d)_({"|".join(KTH_ACTIONS)})_d([1-4])', re.ASCII)
_RANGE = re.compile(r'(\d+)\s*-\s*(\d+)', re.ASCII)


@dataclass(frozen=True)
class KTHName:
    """What the name of a KTH video says."""

    subject: str
    action: str
    scenario: int

    @property
    def stem(self) -> str:
        """The name in the index, ``personNN_ACTION_dK``."""
        return f'{self.subject}_{self.action}_d{self.scenario}'


@dataclass(frozen=True)
class KTHSequences:
    """One line of the index: a video and its frame ranges, 0-based, end exclusive; none if it is
    missing."""

    name: KTHName
    ranges: tuple[tuple[int, int], ...]


def parse_kth_name(stem: str) -> KTHName:
    """Read ``personNN_ACTION_dK``, with or without ``_uncomp``.

    Args:
        stem: File name without its extension.

    Raises:
        ValueError: The name has another form.
    """
    match = _NAME.fullmatch(stem.removesuffix('_uncomp'))
    if match is None or match[1] not in KTH_SUBJECTS:
        raise ValueError(f'{stem!r} is not a KTH name such as person01_boxing_d1_uncomp')
    return KTHName(match[1], match[2], int(match[3]))


def read_kth_index(path: str | Path = KTH_INDEX) -> list[KTHSequences]:
    """Read ``00sequences.txt``.

    The file counts frames from 1 and includes both ends; here ranges count from 0 and exclude the
    end. The order of the ranges is kept, for it numbers the sub-sequences. Text before the first
    video is a header.

    Raises:
        ValueError: A line is malformed or a video stands twice; names the file and the line.
    """
    entries: list[KTHSequences] = []
    seen = set()
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            is_header = not entries and not text.startswith('person')
            if not text or is_header:
                continue
            try:
                entry = _parse_index_line(text)
            except ValueError as error:
                raise ValueError(f'{path}:{number}: {error}') from error
            if entry.name in seen:
                raise ValueError(f'{path}:{number}: {entry.name.stem} stands twice')
            seen.add(entry.name)
            entries.append(entry)
    if not entries:
        raise ValueError(f'{path}: not one line names a KTH video')
    return entries


def _parse_index_line(text: str) -> KTHSequences:
    stem, _, rest = text.replace('\t', ' ').partition(' ')
    name, rest = parse_kth_name(stem), rest.strip()
    if rest == '*missing*':
        return KTHSequences(name, ())
    keyword, _, listed = rest.partition(' ')
    if keyword != 'frames':
        raise ValueError(f'expected "frames" or "*missing*" after {stem}, got {rest!r}')
    ranges = tuple(_parse_range(part.strip()) for part in listed.split(','))
    if len(ranges) > _MAX_SEQUENCES:
        raise ValueError(f'{len(ranges)} ranges, KTH has at most {_MAX_SEQUENCES}')
    return KTHSequences(name, ranges)


def _parse_range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a range of frames such as 1-95')
    first, last = int(match[1]), int(match[2])
    if not 1 <= first <= last:
        raise ValueError(f'range {text} must count from 1 and not run backwards')
    return first - 1, last


@DATASETS.register_module()
class KTHDataset(SubjectVideoDataset):
    """The sub-sequences of KTH. Arguments as :class:`SubjectVideoDataset`.

    Protocols: ``scenario`` (4 folds), ``subsequence``, ``official``, ``random60`` (10 draws).
    Sub-sequences of fewer than ``min_frames`` frames, 32 by default, are dropped.

    Example:
        >>> dict(type='KTHDataset', data_root='data/kth', ann_file='kth.csv',
        ...      data_prefix=dict(video='videos'), protocol='scenario', split='train', fold=1,
        ...      pipeline=[...])
    """

    METAINFO: ClassVar[dict] = dict(classes=KTH_ACTIONS, subjects=KTH_SUBJECTS)
    FAMILY = 'kth'
    COLUMNS = KTH_COLUMNS
    PROTOCOL_FIELDS = ('scenario', 'sequence')
    DROP_SHORT_CLIPS = True

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        protocol: str | dict = 'scenario',
        actions: str | Sequence[str] | None = None,
        min_frames: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            ann_file, pipeline, protocol=protocol, actions=actions, min_frames=min_frames, **kwargs
        )
