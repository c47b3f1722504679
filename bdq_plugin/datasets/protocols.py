"""Evaluation protocols: who and what stands in train, val and test, and what that gives away.

A protocol is declared, over the columns of an annotation file, in one of four forms::

    dict(hold_out='take', fold=3)                    # all clips of one take test, the others train
    dict(column='split')                             # a column says train, val or test
    dict(column='day', train=[1, 2], test=[3])       # a column's values, divided by hand
    dict(ratio=(60, 40), group='recording', seed=0)  # whole recordings at random
    dict(rank=['take', 'camera'], within=['subject', 'action'], train=[1, 2], test=[3])

``PROTOCOLS`` declares the ones of KTH and IXMAS, which have names. Every protocol divides all rows
of an annotation file, before any clip is dropped for being short.

Two notions of "the same recording" matter to privacy, because whatever stands still in a recording
(background, light, clothes) lets an attacker recognise the recording instead of the person:

- *recording*: one performance, however many cameras saw it. KTH: one video file. IXMAS: one person
  doing one action in one take. Own data: a column ``recording`` names it; else it is a person's
  action in a take (of a session), or, without a column ``take``, one video file.
- *session*: one stay before the camera. KTH: one person in one scenario (same place, same clothes).
  IXMAS: one person in one take, for a take is filmed in one go (the frame numbers in the names run
  through it). Own data: a column ``session`` names it; without one, all clips of a person may have
  been filmed in one stay, and are taken to be.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from .annotations import FILE_COLUMNS, Row, natural_key, shorten

Split = dict[str, list[Row]]

SPLITS = ('train', 'val', 'test')

# What people write into a column of splits.
_SPLIT_NAMES = {
    **dict.fromkeys(('train', 'training'), 'train'),
    **dict.fromkeys(('val', 'valid', 'validation', 'dev'), 'val'),
    **dict.fromkeys(('test', 'testing'), 'test'),
    'unused': None,
}


def _people(*numbers: int) -> list[str]:
    return [f'person{n:02d}' for n in numbers]


PROTOCOLS: dict[str, dict[str, dict[str, Any]]] = {
    'kth': {
        # Of each video, two sub-sequences train, one is val, one tests: it stands on all sides.
        'subsequence': dict(column='sequence', train=[1, 2], val=[3], test=[4]),
        # Identity across places and clothes.
        'scenario': dict(hold_out='scenario', values=[1, 2, 3, 4]),
        # The division by people of the data set's authors (Schuldt et al., 2004).
        'official': dict(
            column='subject',
            train=_people(11, 12, 13, 14, 15, 16, 17, 18),
            val=_people(19, 20, 21, 23, 24, 25, 1, 4),
            test=_people(22, 2, 3, 5, 6, 7, 8, 9, 10),
        ),
        # 957 of 2,391 sub-sequences test; the fold is the seed.
        'random60': dict(ratio=(60, 40), group='clip'),
    },
    'ixmas': {
        # Take 1 and one view of take 2 / the other view of take 2 / take 3: val shows performances
        # that train shows too, from another camera.
        'seed': dict(
            rank=['take', 'camera'],
            within=['subject', 'action'],
            pattern=[1, 1, 2, 2, 3, 3],
            train=[1, 2, 3],
            val=[4],
            test=[5, 6],
        ),
        # No performance stands on both sides.
        'take': dict(hold_out='take', values=[1, 2, 3]),
        # A fifth of the people, two of ten in alphabetical order.
        'subject': dict(hold_out='subject', folds=5),
        # The same performances, other views.
        'view': dict(hold_out='camera', values=[0, 1, 2, 3, 4]),
    },
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A division of rows into splits.

    Attributes:
        name: for messages.
        fold: the fold that the declaration itself chooses.
    """

    name: str = ''
    fold: int | None = None

    # The column whose units are held out, one or some a fold, where it is such a protocol.
    hold_out: ClassVar[str | None] = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it is sure to have."""
        return ('train', 'test')

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs."""
        raise NotImplementedError

    def count_folds(self, rows: Sequence[Row]) -> int:
        """How many folds it has on these rows."""
        return 1

    def unit_of(self, row: Row) -> Hashable:
        """What a row stands or falls with: rows of one unit are always on one side."""
        return recording_of(row)

    def divide(self, rows: Sequence[Row], fold: int) -> Split:
        """Rows of every split, in their order; see :func:`split_all` for what is checked before."""
        divided: Split = {name: [] for name in SPLITS}
        side_of = self.sides(rows, fold)
        for row in rows:
            side = side_of(row)
            if side is not None:
                divided[side].append(row)
        return divided

    def sides(self, rows: Sequence[Row], fold: int) -> Callable[[Row], str | None]:
        """The function that names a row's split; None for a row that is in none."""
        raise NotImplementedError

    def choose_fold(self, fold: int | None) -> int:
        """The fold of the declaration or the one asked for, 1 where neither names one.

        Raises:
            ValueError: They differ.
        """
        if fold is not None and self.fold is not None and fold != self.fold:
            raise ValueError(
                f'fold={fold} was asked for, but protocol {self.name} says fold={self.fold}: '
                'remove one of them'
            )
        return next((choice for choice in (fold, self.fold) if choice is not None), 1)


Spec = str | Mapping[str, Any] | Protocol


@dataclass(frozen=True, kw_only=True)
class HoldOut(Protocol):
    """One unit of a column tests, the others train; each fold has another one.

    Attributes:
        hold_out: the column.
        values: its units in the order of the folds, all that there are; by default those of the
            data, sorted.
        folds: into how many groups the units are divided, in their order; by default each unit is
            a fold.
    """

    hold_out: str
    values: Sequence[Any] | None = None
    folds: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.hold_out,)

    def count_folds(self, rows: Sequence[Row]) -> int:
        return self.folds or len(self._units(rows))

    def unit_of(self, row: Row) -> Hashable:
        return row[self.hold_out]

    def sides(self, rows: Sequence[Row], fold: int) -> Callable[[Row], str]:
        units = self._units(rows)
        if len(units) < 2:
            raise ValueError(
                f'protocol {self.name} needs two values of {self.hold_out} or more: every clip '
                f'has {units[0]!r}'
            )
        present = {str(row[self.hold_out]) for row in rows}
        unlisted = sorted(present - set(units), key=natural_key)
        if unlisted:
            raise ValueError(
                f'protocol {self.name}: values lists {", ".join(units)} of {self.hold_out}, but '
                f'there are clips of {", ".join(unlisted)} too: list them, or leave them out'
            )
        count = self.count_folds(rows)
        held_out = {unit for i, unit in enumerate(units) if i * count // len(units) == fold - 1}
        return lambda row: 'test' if str(row[self.hold_out]) in held_out else 'train'

    def _units(self, rows: Sequence[Row]) -> list[str]:
        if self.values is not None:
            return [str(value) for value in self.values]
        return sorted({str(row[self.hold_out]) for row in rows}, key=natural_key)


@dataclass(frozen=True, kw_only=True)
class _Listed(Protocol):
    """Splits by lists of values.

    Attributes:
        train, val, test: the values of each.
    """

    train: Sequence[Any] | None = None
    val: Sequence[Any] | None = None
    test: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        for name in SPLITS:
            value = getattr(self, name)
            if not isinstance(value, list | tuple | None):
                raise ValueError(
                    f'protocol {self.name}: {name} is a list of values, [{value!r}], got {value!r}'
                )

    @property
    def splits(self) -> tuple[str, ...]:
        declared = tuple(name for name in SPLITS if getattr(self, name) is not None)
        return declared or ('train', 'test')

    def _side(self, value: Any, row: Row, what: str) -> str:
        for name in SPLITS:
            if str(value) in map(str, getattr(self, name) or ()):
                return name
        raise ValueError(f'{row["video"]}: protocol {self.name} has no place for {what} {value!r}')


@dataclass(frozen=True, kw_only=True)
class ByColumn(_Listed):
    """A column says where a clip belongs: it holds train, val and test, or values listed here.

    ``unused`` in the former's place leaves a clip out, as HMDB51's splits do.

    Attributes:
        column: the column.
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def unit_of(self, row: Row) -> Hashable:
        several = self.train is not None and len(self.train) > 1
        return row[self.column] if several else recording_of(row)

    def sides(self, rows: Sequence[Row], fold: int) -> Callable[[Row], str | None]:
        if self.train or self.val or self.test:
            return lambda row: self._side(row[self.column], row, self.column)
        return self._named_side

    def _named_side(self, row: Row) -> str | None:
        name = str(row[self.column]).lower()
        if name not in _SPLIT_NAMES:
            raise ValueError(
                f'{row["video"]}: {self.column} is {row[self.column]!r}, not train, val or test; '
                f'name the values: dict(column={self.column!r}, train=[...], test=[...])'
            )
        return _SPLIT_NAMES[name]


@dataclass(frozen=True, kw_only=True)
class Ratio(Protocol):
    """Groups of clips at random, by the rank of a hash of their names.

    The draw is the same on every machine and version, whatever the order of the rows or folders.

    Attributes:
        ratio: shares of train and test, or of train, val and test.
        group: what stays together: ``'clip'``, ``'recording'``, ``'session'``, or a column.
        seed: of the draw; the fold is added to it.
        folds: how many draws there are.
    """

    ratio: Sequence[float]
    group: str = 'recording'
    seed: int = 0
    folds: int = 10

    def __post_init__(self) -> None:
        if len(self.ratio) not in (2, 3) or any(not share > 0 for share in self.ratio):
            raise ValueError(
                f'ratio holds the shares of train and test, or of train, val and test, all above '
                f'0, got {self.ratio!r}'
            )

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS if len(self.ratio) == 3 else ('train', 'test')

    @property
    def columns(self) -> tuple[str, ...]:
        return () if self.group in _GROUPS else (self.group,)

    def count_folds(self, rows: Sequence[Row]) -> int:
        return self.folds

    def unit_of(self, row: Row) -> Hashable:
        return _GROUPS[self.group](row) if self.group in _GROUPS else row[self.group]

    def sides(self, rows: Sequence[Row], fold: int) -> Callable[[Row], str]:
        def rank(unit: Hashable) -> str:
            return hashlib.sha256(f'{self.seed + fold}/{unit}'.encode()).hexdigest()

        units = sorted({self.unit_of(row) for row in rows}, key=rank)
        if len(units) < len(self.ratio):
            raise ValueError(
                f'protocol {self.name} divides units of {self.group}, but there is '
                f'{len(units)} for {len(self.splits)} splits'
            )
        side, first, share = {}, 0, 0.0
        for name, part in zip(self.splits, self.ratio, strict=True):
            share += part
            end = int(len(units) * share / sum(self.ratio))
            side.update(dict.fromkeys(units[first:end], name))
            first = end
        return lambda row: side[self.unit_of(row)]


@dataclass(frozen=True, kw_only=True)
class ByRank(_Listed):
    """Places in the order of a group's clips are divided by hand.

    Attributes:
        rank: columns to sort the clips of a group by.
        within: columns that name a group.
        pattern: the values of the first column of ``rank`` that every group must have, in order.
        train, val, test: the places, from 1.
    """

    rank: Sequence[str]
    within: Sequence[str]
    pattern: Sequence[Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.rank, *self.within)

    def sides(self, rows: Sequence[Row], fold: int) -> Callable[[Row], str]:
        groups = defaultdict(list)
        for row in rows:
            groups[tuple(row[name] for name in self.within)].append(row)
        side = {}
        for name, group in groups.items():
            group.sort(key=lambda row: [natural_key(row[column]) for column in self.rank])
            found = [row[self.rank[0]] for row in group]
            if self.pattern is not None and found != list(self.pattern):
                raise ValueError(
                    f'protocol {self.name} needs {len(self.pattern)} clips of each '
                    f'{" and ".join(self.within)}, with {self.rank[0]} '
                    f'{", ".join(map(str, self.pattern))}, but {" ".join(map(str, name))} has '
                    f'{len(found)} with {", ".join(map(str, found))}'
                )
            for place, row in enumerate(group, 1):
                side[id(row)] = self._side(place, row, 'place')
        return lambda row: side[id(row)]


_FORMS: dict[str, type[Protocol]] = dict(
    hold_out=HoldOut, column=ByColumn, ratio=Ratio, rank=ByRank
)


def get_protocol(protocol: Spec, dataset: str | None = None) -> Protocol:
    """A protocol by its declaration or name.

    Args:
        protocol: A declaration (see the module's docstring) or a name. Where the data set has no
            named protocols, a name is short for ``dict(hold_out=NAME)``, and ``'split'`` for
            ``dict(column='split')``.
        dataset: The data set whose names count, ``'kth'`` or ``'ixmas'``; ``None`` for both.

    Raises:
        ValueError: Unknown, or declared wrongly; lists what is allowed.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str):
        return _declare(dict(protocol), _describe(protocol))
    if dataset is not None and dataset not in PROTOCOLS:
        form = dict(column=protocol) if protocol == 'split' else dict(hold_out=protocol)
        return _declare(form, repr(protocol))
    known = [PROTOCOLS[dataset]] if dataset else PROTOCOLS.values()
    named = {name: spec for specs in known for name, spec in specs.items()}
    if protocol not in named:
        owner = f' of {dataset}' if dataset else ''
        raise ValueError(
            f'unknown protocol{owner} {protocol!r}: choose one of {", ".join(named)}, or declare '
            "one, such as dict(hold_out='take')"
        )
    return _declare(named[protocol], repr(protocol))


def split_all(rows: Sequence[Row], protocol: Spec, fold: int | None = None) -> Split:
    """Divide rows into every split that the protocol has.

    Raises:
        ValueError: Unknown protocol or fold, or a column that the protocol needs is missing or has
            no value in some row.
    """
    chosen = get_protocol(protocol)
    divided = _divide(rows, chosen, chosen.choose_fold(fold))
    return {name: divided[name] for name in chosen.splits}


def split_rows(
    rows: Sequence[Row], protocol: Spec, split: str, fold: int | None = None
) -> list[Row]:
    """The rows of one split, in their order.

    Args:
        rows: Rows of an annotation file (see :mod:`.annotations`), the whole data set.
        protocol: A declaration or a name; see :func:`get_protocol`.
        split: ``'train'``, ``'val'`` or ``'test'``.
        fold: Fold, from 1; by default the declaration's, or 1.

    Raises:
        ValueError: Unknown protocol, split or fold, or a split that the protocol does not have.
    """
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}: choose one of {", ".join(SPLITS)}')
    chosen = get_protocol(protocol)
    divided = _divide(rows, chosen, chosen.choose_fold(fold))
    if split not in chosen.splits and not divided[split]:
        raise ValueError(f"protocol {chosen.name} has no {split} split; use 'test' in its place")
    return divided[split]


def recording_of(row: Row) -> str:
    """Id of the performance that a row shows (see the module's docstring)."""
    subject, action = row.get('subject', ''), row['action']
    if row.get('recording', '') != '':
        return f'{subject}_{row["recording"]}'
    if 'scenario' in row:
        return f'{subject}_{action}_d{row["scenario"]}'
    if 'take' in row:
        session = f'-{row["session"]}-' if row.get('session', '') != '' else ''
        return f'{subject}{session}{row["take"]}_{action}'
    return str(row['video'])


def session_of(row: Row) -> str:
    """Id of the stay before the camera that a row comes from (see the module's docstring)."""
    subject = row.get('subject', '')
    if 'session' in row:
        return f'{subject}_{row["session"]}' if row['session'] != '' else str(subject)
    if 'scenario' in row:
        return f'{subject}_d{row["scenario"]}'
    return f'{subject}{row["take"]}' if 'take' in row else str(subject)


def clip_of(row: Row) -> str:
    """Id of a clip: its recording, and its number or place in it."""
    if 'sequence' in row:
        return f'{recording_of(row)}/{row["sequence"]}'
    return f'{row["video"]}/{row.get("start_frame", 0)}'


_GROUPS: dict[str, Callable[[Row], str]] = dict(
    clip=clip_of, recording=recording_of, session=session_of
)


def _declare(spec: dict[str, Any], name: str) -> Protocol:
    forms = [form for form in _FORMS if form in spec]
    if len(forms) != 1:
        raise ValueError(
            f'protocol {name} must have exactly one of {", ".join(_FORMS)}; in a child config, '
            'replace an inherited one with dict(_delete_=True, ...)'
        )
    form = _FORMS[forms[0]]
    allowed = [entry.name for entry in fields(form) if entry.name != 'name']
    unknown = [key for key in spec if key not in allowed]
    if unknown:
        raise ValueError(
            f'protocol {name}: unknown {", ".join(unknown)}; {forms[0]} goes with '
            f'{", ".join(key for key in allowed if key != forms[0])}'
        )
    return form(**spec, name=name)


def _describe(spec: Mapping[str, Any]) -> str:
    return f'dict({", ".join(f"{key}={value!r}" for key, value in spec.items())})'


def _divide(rows: Sequence[Row], protocol: Protocol, fold: int) -> Split:
    if not rows:
        raise ValueError(f'protocol {protocol.name}: there is no clip to divide')
    for column in protocol.columns:
        lacking = [str(row['video']) for row in rows if row.get(column, '') == '']
        if lacking and len(lacking) == len(rows):
            known = sorted({key for key in rows[0] if key not in FILE_COLUMNS})
            raise ValueError(
                f'protocol {protocol.name} needs a column {column}, which the annotation lacks; '
                f'it has {", ".join(known)}'
            )
        if lacking:
            raise ValueError(
                f'protocol {protocol.name} needs a value of {column} for every clip; there is none '
                f'for {shorten(lacking)}'
            )
    folds = protocol.count_folds(rows)
    if isinstance(fold, bool) or not isinstance(fold, int) or not 1 <= fold <= folds:
        allowed = '1' if folds == 1 else f'1 to {folds}'
        raise ValueError(f'protocol {protocol.name} has fold {allowed}, got {fold!r}')
    return protocol.divide(rows, fold)


# Audit

# So many people are named in a sentence.
_NAMED = 5
# Not what may stand on both sides: a clip's own numbers, and what it is of.
_NOT_SHARED = ('video', 'action', 'recording', 'session', 'sequence', 'split', *FILE_COLUMNS)


@dataclass(frozen=True)
class ProtocolAudit:
    """What a protocol lets an attacker use.

    Attributes:
        clips: Number of clips of each split.
        shared: For each split but train, what it shares with train: for ``recordings``,
            ``sessions``, ``subjects`` and every further column (``scenarios``, ``takes``,
            ``cameras``) the sorted values.
        totals: For each split but train, how many different values it holds of each of these.
        identity_defined: Whether every person tested is in train; else identity cannot be scored.
            Where the privacy label is another one (gender), whether each of its values is.
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
        rows_by_split: Rows of each split, as :func:`split_all` gives them. Where a row has
            ``privacy``, that is the label to be hidden, in the subject's place.

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
        split: {
            _plural(key): sorted(seen & train.get(key, set()), key=natural_key)
            for key, seen in held.items()
        }
        for split, held in values.items()
    }
    totals = {
        split: {_plural(key): len(seen) for key, seen in held.items()}
        for split, held in values.items()
    }
    known, tested = (
        {row.get('privacy', row.get('subject')) for row in rows_by_split[name]}
        for name in ('train', 'test')
    )
    unseen = sorted(map(str, tested - known), key=natural_key)
    findings = [line for split in values for line in _findings(split, shared[split], totals[split])]
    if unseen:
        what = 'labels' if 'privacy' in rows_by_split['test'][0] else 'people'
        named = ', '.join(unseen[:_NAMED]) + (', ...' if unseen[_NAMED:] else '')
        findings.insert(
            0,
            f'identity is not defined: {len(unseen)} of {len(tested)} {what} of test are not in '
            f'train ({named}); only action can be scored',
        )
    clips = {name: len(rows) for name, rows in rows_by_split.items()}
    return ProtocolAudit(clips, shared, totals, not unseen, findings)


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
    elif shared.get('subjects'):
        lines.append(
            f'{split} holds people of train in other sessions only: identity must be carried '
            'across them by build, gait, or clothes that were worn again'
        )
    kinds = [key for key in shared if key not in ('recordings', 'sessions', 'subjects')]
    lines += [
        f'no {key.removesuffix("s")} of {split} is in train' for key in kinds if not shared[key]
    ]
    return lines


def _values(rows: Sequence[Row]) -> dict[str, set]:
    values = {
        'recording': {recording_of(row) for row in rows},
        'session': {session_of(row) for row in rows},
    }
    for key in rows[0]:
        if key not in _NOT_SHARED and key != 'privacy':
            values[key] = {row[key] for row in rows if row.get(key, '') != ''}
    return values


def _plural(name: str) -> str:
    return name if name.endswith('s') else f'{name}s'
