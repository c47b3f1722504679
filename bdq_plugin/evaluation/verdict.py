"""The result of an audit in plain words, for someone who will not read a table."""

from __future__ import annotations

from .pooling import PooledResult
from .statistics import Estimate

# With fewer people an accuracy is a demonstration: one person more or less moves it by points.
ENOUGH_PEOPLE = 10

# Negative controls that need no person in the picture.
_BESIDE = dict(
    border='the border of the picture alone names', length='the length of a clip alone names'
)


def verdict(row: PooledResult, people: int, units: int, same_sessions: bool = False) -> str:
    """What was asked, of whom, how strong the attackers were, what leaked, what is missing.

    Args:
        row: the encoder's pooled result.
        people: how many of them.
        units: takes (or whatever was held out) of the whole data.
        same_sessions: whether clips of one stay before the camera stand on both sides.
    """
    leak, action = row.leakage, row.action
    chance = f'chance is {leak.chance:.0%}'
    asked = (
        f'Asked: who of {people} people is in a clip? The attackers ({", ".join(row.attackers)}) '
        f'learned from clips of the same people in other units ({row.protocol}); '
        f'{len(row.folds)} of {units} units were held out in turn.'
    )
    lines = [asked, _control(row)]
    if people < ENOUGH_PEOPLE:
        lines.insert(0, f'A demonstration, not a measurement: there are {people} people.')
    found = f'{_share(Estimate(leak.value, leak.interval))} by {row.strongest}; {chance}.'
    lines.append(f'Leaked: a single clip names the person in {found}')
    if leak.value_of_all is not None:
        lines.append(f'With several encodings of the same clip at hand: {leak.value_of_all:.0%}.')
    lines.append(_without_the_person(row))
    curve = row.accumulation()
    if len(curve) > 1:
        last = curve[-1]
        lines.append(
            f'Accumulates: {last.clips} clips that are known to be of one person name that person '
            f'in {_share(Estimate(last.value, last.interval))}.'
        )
    worst = row.worst()
    if worst is not None:
        lines.append(f'Worst: {worst.person} is named in {worst.value:.0%} of the clips.')
    if action is not None:
        lines.append(f'Kept: the action is told in {action.value:.0%} of the clips.')
    lines.append(_missing(row, people, same_sessions))
    return '\n'.join(line for line in lines if line)


def _control(row: PooledResult) -> str:
    best = max((f.control for f in row.attackers.values() if f.control is not None), default=None)
    if best is None:
        return 'Attackers on clear video: not measured, so that a low figure says nothing.'
    if row.evidence_of_privacy:
        names = ' and '.join(row.witnesses)
        return f'Attackers on clear video: up to {best:.0%}; witnesses: {names}.'
    return (
        f'Attackers on clear video: only {best:.0%}, less than the {row.control_from:.0%} of a '
        'witness: whatever they do not find in the code is no evidence of privacy.'
    )


def _without_the_person(row: PooledResult) -> str:
    """What a clip gives away beside the person: a scene, a habit of recording."""
    found = [
        f'{what} {row.controls[name].value:.0%}'
        for name, what in _BESIDE.items()
        if name in row.controls
    ]
    return f'Without looking at the person: {", ".join(found)}.' if found else ''


def _missing(row: PooledResult, people: int, same_sessions: bool) -> str:
    missing = []
    if people < ENOUGH_PEOPLE:
        missing.append(f'{ENOUGH_PEOPLE} people or more')
    if same_sessions:
        missing.append(
            'clips of other days (a column session), for the same clothes and place name people too'
        )
    if not row.evidence_of_privacy:
        missing.append('attackers that succeed on clear video')
    if len(row.seeds) < 3:
        missing.append('three seeds (--seed 0 1 2)')
    missing.append('attackers stronger than these: the figures are lower bounds')
    return f'Missing before you believe it: {"; ".join(missing)}.'


def _share(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f'{estimate.value:.0%} ({low:.0%} to {high:.0%})'
