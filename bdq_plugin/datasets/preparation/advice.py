"""What an annotation will not carry: said when it is made, before anyone trains on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ..annotations import FILE_COLUMNS, Row, natural_key, shorten

# Columns that say nothing of who could be told apart by what.
_NOT_UNITS = ('video', 'action', 'subject', 'sequence', 'split', *FILE_COLUMNS)
# What audits hold out, by default or by choice.
_REPETITIONS = ('take', 'session')


def advise(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Sentences on what a protocol, a network or an audit will stumble over.

    Args:
        rows: Rows of an annotation.
        columns: Its columns of labels.
    """
    further = [name for name in columns if name not in _NOT_UNITS]
    lines = _empty_cells(rows, further)
    if 'subject' in columns:
        lines += _people(rows, further, 'split' in columns)
    if 'camera' in columns and not {'take', 'recording'} & set(columns):
        lines.append(
            'nothing says which clips are one performance seen by several cameras: add a column '
            'recording or take'
        )
    lines += _mixed(rows)
    return lines


def _empty_cells(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    lines = []
    for name in columns:
        empty = [str(row['video']) for row in rows if row.get(name, '') == '']
        if empty:
            lines.append(f'no {name} for {shorten(empty)}: no protocol can use this column')
    return lines


def _people(rows: Sequence[Row], further: Sequence[str], has_split: bool) -> list[str]:
    people = sorted({str(row['subject']) for row in rows}, key=natural_key)
    if len(people) == 1:
        return [f'{people[0]} is the only person: there is nobody to tell apart']
    lines = []
    units = {name: _people_with_one(rows, name) for name in further}
    usable = [name for name, single in units.items() if len(single) < len(people)]
    for name in usable:
        if units[name]:
            lines.append(
                f'with {name} held out, a person with one {name} is on one side alone: '
                f'{shorten(units[name])}'
            )
        if name in _REPETITIONS:
            lines += _too_few_for_an_audit(rows, name, people)
    if not usable and not has_split:
        known = f' (each has one {", one ".join(further)})' if further else ''
        lines.append(
            f"no column divides a person's clips{known}: nothing can be held out; record every "
            'person again, in a column take or session'
        )
    for action, performers in sorted(_values(rows, 'action', 'subject').items()):
        if len(performers) == 1:
            lines.append(
                f'action {action} is by {next(iter(performers))} alone: it names the person'
            )
    return lines


def _too_few_for_an_audit(rows: Sequence[Row], name: str, people: Sequence[str]) -> list[str]:
    """What an audit lacks that holds out a column: three units of everyone, the same ones."""
    lines = []
    two = [who for who, found in _values(rows, 'subject', name).items() if len(found) == 2]
    if two:
        lines.append(
            f'an audit with {name} held out needs three of each person (one is tested, one tells '
            f'how well an attacker has learned); two are of {shorten(sorted(two, key=natural_key))}'
        )
    present = _values(rows, name, 'subject')
    partly = [unit for unit, found in present.items() if unit and len(found) < len(people)]
    if partly:
        shown = shorten(sorted(partly, key=natural_key))
        lines.append(f'not everyone has {name} {shown}: held out, it says nothing of the others')
    return lines


def _people_with_one(rows: Sequence[Row], column: str) -> list[str]:
    """People with fewer than two values of a column."""
    values = _values(rows, 'subject', column)
    return sorted((name for name, found in values.items() if len(found) < 2), key=natural_key)


def _values(rows: Sequence[Row], key: str, column: str) -> dict[str, set[str]]:
    values = defaultdict(set)
    for row in rows:
        values[str(row[key])] |= {str(row[column])} - {''} if column in row else set()
    return values


def _mixed(rows: Sequence[Row]) -> list[str]:
    videos = {row['video']: row for row in rows}.values()
    sizes = Counter(f'{row["width"]} x {row["height"]}' for row in videos)
    rates = Counter(f'{row["fps"]:g}' for row in videos)
    lines = []
    if len(sizes) > 1:
        shown = ', '.join(f'{size} ({n})' for size, n in sizes.most_common(5))
        lines.append(f'frames of {len(sizes)} sizes, {shown}: a recipe brings them to one')
    if len(rates) > 1:
        shown = ', '.join(f'{rate} ({n})' for rate, n in rates.most_common(5))
        lines.append(
            f'{len(rates)} frame rates, {shown} frames a second: the same motion has other '
            'differences at another rate, which can give a person or an action away'
        )
    return lines
