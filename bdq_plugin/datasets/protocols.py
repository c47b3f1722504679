"""Evaluation protocols: who and what stands in train, val and test, and what that gives away.

Each protocol is a pure function ``(rows, fold) -> {'train': rows, 'val': rows, 'test': rows}`` over
the rows of an annotation file, before any clip is dropped for being short. SPEC.md section 4 has
the table.

Two notions of "the same recording" matter to privacy, because whatever stands still in a recording
(background, light, clothes) lets an attacker recognise the recording instead of the person:

- *recording*: one performance. KTH: one video file. IXMAS: one person doing one action in one take;
  its cameras see the same performance at the same time, so that its files are one recording, not
  five.
- *session*: one stay before the camera. KTH: one person in one scenario (same place, same clothes).
  IXMAS: one person in one take, for a take is filmed in one go (the frame numbers in the names run
  through it).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from .annotations import Row

Split = dict[str, list[Row]]

SPLITS = ('train', 'val', 'test')

KTH_OFFICIAL = {
    'train': (11, 12, 13, 14, 15, 16, 17, 18),
    'val': (19, 20, 21, 23, 24, 25, 1, 4),
    'test': (22, 2, 3, 5, 6, 7, 8, 9, 10),
}

# Names of what may stand on both sides: singular, plural.
_SHARED_NAMES = {
    'recording': 'recordings',
    'session': 'sessions',
    'subject': 'subjects',
    'scenario': 'scenarios',
    'take': 'takes',
    'camera': 'cameras',
}


# Protocols


def kth_subsequence(rows: Sequence[Row], fold: int = 1) -> Split:
    """Sub-sequences 1 and 2 of each video train, 3 val, 4 test: one video stands in all three."""
    side = {1: 'train', 2: 'train', 3: 'val', 4: 'test'}
    return _divide(rows, lambda row: side[row['sequence']])


def kth_scenario(rows: Sequence[Row], fold: int = 1) -> Split:
    """Scenario ``fold`` (d1 to d4) tests, the other three train: identity across places and
    clothes."""
    return _divide(rows, lambda row: 'test' if row['scenario'] == fold else 'train')


def kth_official(rows: Sequence[Row], fold: int = 1) -> Split:
    """The division by people of the data set's authors (Schuldt et al., 2004)."""
    side = {f'person{n:02d}': name for name, people in KTH_OFFICIAL.items() for n in people}
    return _divide(rows, lambda row: side[row['subject']])


def kth_random60(rows: Sequence[Row], fold: int = 1) -> Split:
    """60 % of all sub-sequences at random train, 40 % (957 of 2,391) test; ``fold`` is the seed.

    The draw is over *all* sub-sequences and ranks a hash of the sub-sequence's name: it is the same
    on every machine and version, whatever the order of the rows or the folders. A dataset drops
    short sub-sequences afterwards (``min_frames=32`` leaves fewer than 957; ``min_frames=1`` all).
    """

    def rank(row: Row) -> str:
        name = f'{fold}/{recording_of(row)}/{row["sequence"]}'
        return hashlib.sha256(name.encode()).hexdigest()

    train = {rank(row) for row in sorted(rows, key=rank)[: int(0.6 * len(rows))]}
    return _divide(rows, lambda row: 'train' if rank(row) in train else 'test')


def ixmas_seed(rows: Sequence[Row], fold: int = 1) -> Split:
    """Of a person's six clips of an action, by take and camera: 1 to 3 train, 4 val, 5 and 6 test.

    That is take 1 and one view of take 2 / the other view of take 2 / take 3: val shows
    performances that train shows too, from another camera.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[row['subject'], row['action']].append(row)
    side = {}
    for (subject, action), group in groups.items():
        if [row['take'] for row in sorted(group, key=_take_order)] != [1, 1, 2, 2, 3, 3]:
            raise ValueError(
                f"protocol 'seed' needs six clips of each person and action, two views of each "
                f'of three takes, but {subject} {action} has {len(group)}; '
                "prepare the selection with --names selected_720, or use protocol 'take'"
            )
        names = ('train', 'train', 'train', 'val', 'test', 'test')
        for row, name in zip(sorted(group, key=_take_order), names, strict=True):
            side[row['video']] = name
    return _divide(rows, lambda row: side[row['video']])


def ixmas_take(rows: Sequence[Row], fold: int = 1) -> Split:
    """Take ``fold`` tests, the other two train: no performance stands on both sides."""
    return _divide(rows, lambda row: 'test' if row['take'] == fold else 'train')


def ixmas_subject(rows: Sequence[Row], fold: int = 1) -> Split:
    """A fifth of the people (two of ten, in alphabetical order) tests, the others train."""
    people = sorted({row['subject'] for row in rows})
    held_out = {name for i, name in enumerate(people) if i * 5 // len(people) == fold - 1}
    return _divide(rows, lambda row: 'test' if row['subject'] in held_out else 'train')


def ixmas_view(rows: Sequence[Row], fold: int = 1) -> Split:
    """Camera ``fold - 1`` (cam0 to cam4) tests, the others train: the same performances, other
    views."""
    return _divide(rows, lambda row: 'test' if row['camera'] == fold - 1 else 'train')


@dataclass(frozen=True)
class Protocol:
    """A named protocol: its data set, its division, how many folds it has, and which splits."""

    name: str
    dataset: str
    divide: Callable[[Sequence[Row], int], Split]
    folds: int = 1
    splits: tuple[str, ...] = ('train', 'test')


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol('subsequence', 'kth', kth_subsequence, splits=SPLITS),
        Protocol('scenario', 'kth', kth_scenario, folds=4),
        Protocol('official', 'kth', kth_official, splits=SPLITS),
        Protocol('random60', 'kth', kth_random60, folds=10),
        Protocol('seed', 'ixmas', ixmas_seed, splits=SPLITS),
        Protocol('take', 'ixmas', ixmas_take, folds=3),
        Protocol('subject', 'ixmas', ixmas_subject, folds=5),
        Protocol('view', 'ixmas', ixmas_view, folds=5),
    )
}


def get_protocol(name: str, dataset: str | None = None) -> Protocol:
    """Look a protocol up by name, among those of ``dataset`` (``'kth'`` or ``'ixmas'``) or all.

    Raises:
        ValueError: Unknown; lists the names that are allowed.
    """
    names = [p.name for p in PROTOCOLS.values() if dataset in (None, p.dataset)]
    if name not in names:
        owner = f' of {dataset}' if dataset else ''
        raise ValueError(f'unknown protocol{owner} {name!r}: choose one of {", ".join(names)}')
    return PROTOCOLS[name]


def split_all(rows: Sequence[Row], protocol: str, fold: int = 1) -> Split:
    """Divide rows into every split that the protocol has.

    Raises:
        ValueError: Unknown protocol or fold, or rows of another data set.
    """
    chosen = get_protocol(protocol)
    if isinstance(fold, bool) or not isinstance(fold, int) or not 1 <= fold <= chosen.folds:
        allowed = '1' if chosen.folds == 1 else f'1 to {chosen.folds}'
        raise ValueError(f'protocol {protocol!r} has fold {allowed}, got {fold!r}')
    if rows and dataset_of(rows[0]) != chosen.dataset:
        raise ValueError(f'protocol {protocol!r} is for {chosen.dataset}, the rows are not')
    divided = chosen.divide(rows, fold)
    return {name: divided[name] for name in chosen.splits}


def split_rows(rows: Sequence[Row], protocol: str, split: str, fold: int = 1) -> list[Row]:
    """The rows of one split, in their order.

    Args:
        rows: Rows of an annotation file (see :mod:`.annotations`), the whole data set.
        protocol: A key of ``PROTOCOLS``.
        split: ``'train'``, ``'val'`` or ``'test'``.
        fold: Fold, from 1.

    Raises:
        ValueError: Unknown protocol, split or fold, or a split that the protocol does not have.
    """
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}: choose one of {", ".join(SPLITS)}')
    if split not in get_protocol(protocol).splits:
        raise ValueError(f"protocol {protocol!r} has no {split} split; use 'test' in its place")
    return split_all(rows, protocol, fold)[split]


def dataset_of(row: Row) -> str:
    """``'kth'`` or ``'ixmas'``, told by the columns."""
    return 'kth' if 'scenario' in row else 'ixmas'


def recording_of(row: Row) -> str:
    """Id of the performance that a row shows (see the module's docstring)."""
    if dataset_of(row) == 'kth':
        return f'{row["subject"]}_{row["action"]}_d{row["scenario"]}'
    return f'{row["subject"]}{row["take"]}_{row["action"]}'


def session_of(row: Row) -> str:
    """Id of the stay before the camera that a row comes from (see the module's docstring)."""
    if dataset_of(row) == 'kth':
        return f'{row["subject"]}_d{row["scenario"]}'
    return f'{row["subject"]}{row["take"]}'


# Audit


@dataclass(frozen=True)
class ProtocolAudit:
    """What a protocol lets an attacker use.

    Attributes:
        clips: Number of clips of each split.
        shared: For each split but train, what it shares with train: for ``recordings``,
            ``sessions``, ``subjects``, ``scenarios``, ``takes``, ``cameras`` the sorted values.
        totals: For each split but train, how many different values it holds of each of these.
        identity_defined: Whether every person tested is in train; else identity cannot be scored.
        findings: The same in plain sentences, the gravest first.
    """

    clips: dict[str, int]
    shared: dict[str, dict[str, list]]
    totals: dict[str, dict[str, int]]
    identity_defined: bool
    findings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict:
        """Plain dicts, lists, numbers and strings, fit for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = ['clips: ' + ', '.join(f'{name} {count}' for name, count in self.clips.items())]
        for split, values in self.shared.items():
            counts = (f'{len(v)} of {self.totals[split][k]} {k}' for k, v in values.items())
            lines.append(f'{split} shares with train: ' + ', '.join(counts))
        lines.append(f'identity is {"defined" if self.identity_defined else "not defined"}')
        return '\n'.join(lines + [f'- {finding}' for finding in self.findings])


def audit_protocol(rows_by_split: Split) -> ProtocolAudit:
    """Compare train with the other splits.

    Args:
        rows_by_split: Rows of each split, as :func:`split_all` gives them.

    Raises:
        ValueError: There is no ``train`` or no ``test`` split.

    Example:
        >>> print(audit_protocol(split_all(rows, 'subsequence')))
    """
    missing = [name for name in ('train', 'test') if not rows_by_split.get(name)]
    if missing:
        raise ValueError(
            f'an audit needs clips in train and test; {" and ".join(missing)} has none'
        )
    values = {name: _values(rows) for name, rows in rows_by_split.items() if rows}
    train = values.pop('train')
    shared = {
        split: {_SHARED_NAMES[key]: sorted(seen & train[key]) for key, seen in held.items()}
        for split, held in values.items()
    }
    totals = {
        split: {_SHARED_NAMES[key]: len(seen) for key, seen in held.items()}
        for split, held in values.items()
    }
    identity_defined = values['test']['subject'] <= train['subject']
    findings = [line for split in values for line in _findings(split, shared[split], totals[split])]
    if not identity_defined:
        findings.insert(0, _identity_finding(shared['test'], totals['test']))
    clips = {name: len(rows) for name, rows in rows_by_split.items()}
    return ProtocolAudit(clips, shared, totals, identity_defined, findings)


def _identity_finding(shared: dict[str, list], totals: dict[str, int]) -> str:
    unseen = totals['subjects'] - len(shared['subjects'])
    return (
        f'identity is not defined: {unseen} of {totals["subjects"]} people of test are not in '
        'train; only action can be scored'
    )


def _findings(split: str, shared: dict[str, list], totals: dict[str, int]) -> list[str]:
    """Sentences about one split against train."""
    lines = []
    if count := len(shared['recordings']):
        lines.append(
            f'{count} of {totals["recordings"]} recordings of {split} are in train too: an '
            'attacker can recognise the recording (background, light, clothes, pose) instead of '
            'the person'
        )
        if totals.get('cameras'):
            lines.append(
                f'these {count} performances of {split} are the very ones of train, seen by '
                'another camera at the same time: action is easier than on new performances as well'
            )
    if count := len(shared['sessions']):
        lines.append(
            f'{count} of {totals["sessions"]} sessions of {split} are in train too: the same '
            'clothes at the same place give the person away'
        )
    elif shared['subjects']:
        lines.append(
            f'{split} holds people of train in other sessions only: identity must be carried '
            'across them by build, gait, or clothes that were worn again'
        )
    for key, single in (('scenarios', 'scenario'), ('cameras', 'camera'), ('takes', 'take')):
        if key in shared and not shared[key]:
            lines.append(f'no {single} of {split} is in train')
    return lines


def _values(rows: Sequence[Row]) -> dict[str, set]:
    values = {
        'recording': {recording_of(row) for row in rows},
        'session': {session_of(row) for row in rows},
    }
    for key in ('subject', 'scenario', 'take', 'camera'):
        if key in rows[0]:
            values[key] = {row[key] for row in rows}
    return values


def _take_order(row: Row) -> tuple[int, int]:
    return (row['take'], row['camera'])


def _divide(rows: Sequence[Row], side_of: Callable[[Row], str]) -> Split:
    divided: Split = {name: [] for name in SPLITS}
    for row in rows:
        try:
            divided[side_of(row)].append(row)
        except KeyError as error:
            raise ValueError(f'{row["video"]}: the protocol has no place for {error}') from error
    return divided
