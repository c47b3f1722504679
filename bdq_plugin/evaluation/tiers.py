"""The tiers of docs/threat_model.md: what to use, what was measured of it, which goal it misses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..encoder_file import chosen_every
from ..encoders import load_zoo_encoder
from ..markdown import table
from .overview import LINKED, headlines, linked
from .pooling import CLEAR, PooledResult
from .statistics import Accumulation, Estimate
from .tables import estimate_cell, listed, percent
from .zoo_cards import coin_of, point_of, study_of


class Tier(NamedTuple):
    """What a tier shall reach, in shares, and what comes nearest.

    Attributes:
        name: of the tier.
        use: how one has it, in Markdown.
        encoder: name in the results.
        sends: what leaves instead of codes, by the name of a control; its goal is chance.
        person, linked: at most so often is the person named, in one clip and in linked ones.
        action: at least so often is the action told.
        behind_clear: at most so much less often than in clear video is it told.
    """

    name: str
    use: str
    encoder: str
    sends: str | None = None
    person: float | None = None
    linked: float | None = None
    action: float | None = None
    behind_clear: float | None = None


TIERS = (
    Tier(
        'everyday',
        '`blocks_searched_48x64`',
        'blocks_searched_48x64',
        person=0.2,
        linked=0.45,
        behind_clear=0.03,
    ),
    Tier(
        'strict',
        '`blocks_every4_game`',
        'blocks_every4_game',
        person=0.13,
        linked=0.25,
        action=0.75,
    ),
    Tier('label', 'the network in the camera, `recognize.py --json`', CLEAR, sends='label_stream'),
)
CERTIFIED = 'certified_48x64'
_NOTE = (
    'In %, by the strongest attacker of the panels with most folds, with 95 % intervals by '
    f'resampling people and their performances; in brackets the panel. {LINKED} linked: where '
    f'{LINKED} clips are known to be of one person. Folds: those that were audited, of three; in '
    'brackets behind an action where its folds are others. Rows of other folds or panels are not '
    'to be compared closely. Missed: what the figure itself does not reach; where something shall '
    'be at chance or beyond it, by the interval.'
)


class Found(NamedTuple):
    """What was measured; ``clear`` is the action told in clear video on the same folds."""

    person: Estimate
    by: str
    linked: Accumulation | None
    folds: tuple[int, ...]
    action: float | None
    action_folds: tuple[int, ...]
    clear: float | None
    chance: float


def tiers_table(rows: Sequence[PooledResult], responses: Sequence[dict[str, Any]]) -> str:
    """The tiers in Markdown, each with what comes nearest to it.

    Args:
        rows: pooled results of one data set and protocol, of any panels.
        responses: studies of randomised response on the same clips.
    """
    cells = [_cells(tier, _found(tier, rows)) for tier in TIERS]
    cells.append(_certified(responses))
    head = ['tier', 'use', 'goal', 'person', 'by', f'{LINKED} linked', 'action', 'folds', 'missed']
    return f'{table(head, cells)}\n\n{_NOTE}\n'


def _found(tier: Tier, rows: Sequence[PooledResult]) -> Found | None:
    mine = [row for row in rows if row.encoder == tier.encoder]
    if tier.sends is not None:
        mine = [row for row in mine if tier.sends in row.controls]
    if not mine:
        return None
    head = max(headlines(mine), key=lambda each: len(each.row.folds))
    acting = head.acting or max(
        (row for row in mine if row.action), key=lambda row: len(row.folds), default=None
    )
    person = head.row.leakage if tier.sends is None else head.row.controls[tier.sends]
    return Found(
        Estimate(person.value, person.interval),
        f'{tier.sends or head.row.strongest} ({head.row.panel})',
        linked(head.row, tier.sends),
        head.row.folds,
        acting.action.value if acting else None,
        acting.folds if acting else (),
        _action_in_clear(acting, rows),
        head.row.leakage.chance,
    )


def _action_in_clear(acting: PooledResult | None, rows: Sequence[PooledResult]) -> float | None:
    """By the same panel on the same folds."""
    for row in rows:
        if (
            acting is not None
            and row.encoder == CLEAR
            and (row.data, row.panel, row.folds) == (acting.data, acting.panel, acting.folds)
        ):
            return row.action.value if row.action else None
    return None


def _cells(tier: Tier, found: Found | None) -> list[str]:
    first = [tier.name, tier.use, _goal(tier, found)]
    if found is None:
        return [*first, *[''] * 5, 'not measured']
    action = '' if found.action is None else percent(found.action)
    if found.action is not None and found.action_folds != found.folds:
        action += f' ({listed(found.action_folds)})'
    return [
        *first,
        estimate_cell(found.person),
        found.by,
        percent(found.linked.value) if found.linked else '',
        action,
        listed(found.folds),
        ', '.join(_missed(tier, found)) or 'nothing',
    ]


def _goal(tier: Tier, found: Found | None) -> str:
    if tier.sends is not None:
        return 'person at chance'
    parts = [f'person {percent(tier.person)}', f'{LINKED} linked {percent(tier.linked)} at most']
    if tier.action is not None:
        parts.append(f'action {percent(tier.action)} at least')
    if tier.behind_clear is not None:
        clear = f' ({percent(found.clear)})' if found and found.clear is not None else ''
        parts.append(f'action within {100 * tier.behind_clear:g} points of clear video{clear}')
    return ', '.join(parts)


def _missed(tier: Tier, found: Found) -> list[str]:
    if tier.sends is not None:
        of_one = found.person.interval.low > found.chance
        of_more = found.linked is not None and found.linked.interval.low > found.chance
        return ['person'] * of_one + [f'{LINKED} linked'] * of_more
    least = tier.action
    if tier.behind_clear is not None and found.clear is not None:
        least = found.clear - tier.behind_clear
    return [
        name
        for name, misses in [
            ('person', found.person.value > tier.person),
            (f'{LINKED} linked', found.linked is None or found.linked.value > tier.linked),
            ('action', None in (found.action, least) or found.action < least),
        ]
        if misses
    ]


def _certified(responses: Sequence[dict[str, Any]]) -> list[str]:
    """The action counts as missed where it is told no more often than by codes that are a coin."""
    encoder = load_zoo_encoder(CERTIFIED)
    document = study_of(encoder, responses, chosen_every(CERTIFIED))
    if document is None:
        return ['certified', f'`{CERTIFIED}`', 'a printed bound', *[''] * 5, 'not measured']
    point, coin = point_of(document, encoder.flip), point_of(document, coin_of(document))
    person, action = (Estimate.from_dict(point[name]) for name in ('identity', 'action'))
    told = coin is None or action.interval.low > coin['action']['value']
    return [
        'certified',
        f'`{CERTIFIED}`, `--every {document["settings"]["every"]}`',
        f'a printed bound ({point["bits_at_most"]:.2g} bits of a clip), action beyond what the '
        f'length of a clip tells ({percent(coin["action"]["value"]) if coin else "not measured"})',
        estimate_cell(person),
        f'template ({document["study"]["kind"]})',
        percent(point['linked']['value']) if 'linked' in point else '',
        percent(action.value),
        listed(document['folds']),
        'nothing' if told else 'action',
    ]
