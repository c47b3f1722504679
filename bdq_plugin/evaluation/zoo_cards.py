"""The privacy card of an encoder of the zoo, from all that was measured of this very encoder.

What belongs to it is found by its numbers, whatever its name in the results. A card needs one of

- an audit (``tools/audit.py``), and one of clear video under the same panel on the same folds;
- a study of randomised response (``tools/randomized_response.py``) of an encoder with ``flip``.

The headline is that of README's table: the strongest attacker of the panels with most folds, at
the rate that the encoder is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..encoder_file import chosen_every
from ..encoders import ClipEncoder, load_zoo_encoder
from .attackers.base import normalized
from .candidates import describe, output_forms
from .cards import Bound, CardFigures, Measured
from .overview import headlines, linked
from .pooling import CLEAR, Pooled, PooledResult, Result, audited_on, pool, rate_of, same_clips
from .publishing import is_audit_of
from .statistics import (
    Accumulation,
    Estimate,
    Interval,
    Verification,
    information_bits,
    worst_person,
)
from .verification_study import verifications

# What clear video shares with an encoder beside which it was audited.
_SAME = ('data', 'protocol', 'panel')
# Arguments of an encoder by which each stream is another one.
_DRAWN = dict(dither='noise', geometric_dither='geometry', flip='replaced codes')


def zoo_figures(
    name: str,
    results: Sequence[Result],
    studies: Sequence[dict[str, Any]] = (),
    responses: Sequence[dict[str, Any]] = (),
    rates: Mapping[str, float] | None = None,
    data: str = 'ixmas',
    protocol: str = 'take',
) -> CardFigures:
    """Figures of the form that leaves a camera; of an encoder that has none, of its worst form.

    Args:
        name: in the zoo.
        results: audits, those of clear video among them.
        studies: results of verification.
        responses: results of randomised response.
        rates: kilobits a second of an encoder's codes, by its name in the results.
        data, protocol: of the headline; conditions are those of ``DATA_CONDITION``.

    Raises:
        ValueError: no such encoder, or neither an audit with one of clear video beside it nor a
            study.
    """
    encoder, every = load_zoo_encoder(name), chosen_every(name)
    streams = bool(getattr(encoder, 'streamable', False))
    said = dict(
        encoder=name,
        data=data.upper(),
        dataset_id=data,
        protocol=protocol,
        streams=streams,
        drawn=[word for part, word in _DRAWN.items() if encoder.config.get(part)],
    )
    asked = dict(data=data, protocol=protocol).items()
    there = [each for each in responses if asked <= each['study'].items()]
    studied = study_of(encoder, there, every)
    mine = [
        result
        for result in results
        if is_audit_of(encoder, result)
        and result['cell']['protocol'] == protocol
        and f'{result["cell"]["data"]}_'.startswith(f'{data}_')
        and (result['cell']['output'] == 'hard' or not streams)
    ]
    panels = {tuple(result['cell'][key] for key in _SAME) for result in mine}
    clear = [
        result
        for result in results
        if result['cell']['encoder'] == CLEAR
        and tuple(result['cell'][key] for key in _SAME) in panels
    ]
    rows = [row for row in pool([*mine, *clear]) if row.encoder != CLEAR and row.answers]
    as_used = [row for row in rows if rate_of(row.data) == (every or 1)]
    heads = headlines([row for row in as_used if audited_on(row) == (data, protocol)])
    measured = [_measured(row) for row in sorted(rows, key=lambda row: (row.data, row.panel))]
    if studied is not None:
        said |= dict(bound=_bound(studied, encoder.flip))
        measured += _studied(studied, encoder.flip)
    if not heads and studied is None:
        raise ValueError(f'no audit of {name}: run tools/audit.py --encoder {name} --data {data}')
    said |= dict(measured=measured)
    if not heads:
        return CardFigures(**said, **_figures_of_study(studied, encoder))
    row, acting = max(heads, key=lambda each: (len(each.row.folds), each.row.leakage.value))
    used = [result for result in mine if _is_of(row, result)]
    beside = _clear_beside(row, clear)
    acting_clear = _clear_beside(acting, clear).action if acting else None
    worst, information = row.worst(), row.information()
    assert row.chosen is not None and worst is not None and information is not None
    return CardFigures(
        **said,
        config=describe(output_forms(encoder)[row.output]),
        people=len(used[0]['test']['identity_names']),
        clips=len(row.leakage.hits.ids),
        folds=row.folds,
        seeds=row.seeds,
        date=max(result.get('date', 'a day that was not noted') for result in used),
        versions=used[0]['versions'],
        chance=row.leakage.chance,
        action=_estimate(acting.action) if acting else None,
        action_clear=_estimate(acting_clear) if acting_clear else None,
        attacker=row.strongest,
        leakage=_estimate(row.leakage),
        chosen_attacker=' and '.join(row.chosen_names),
        chosen_leakage=_estimate(row.chosen),
        control=_estimate(beside.networks[row.strongest]),
        control_from=row.control_from,
        accumulation=row.accumulation(),
        verification=_verified(encoder, row, studies),
        information=information,
        worst=worst,
        negative_controls=row.controls,
        kbit_per_second=(rates or {}).get(row.encoder) if streams else None,
    )


def _is_of(row: PooledResult, result: Result) -> bool:
    cell = result['cell']
    names = ('data', 'protocol', 'encoder', 'output', 'panel')
    return (
        all(cell[name] == getattr(row, name) for name in names)
        and cell['fold'] in row.folds
        and cell['seed'] in row.seeds
    )


def _clear_beside(row: PooledResult, clear: Sequence[Result]) -> PooledResult:
    """Clear video under the same panel on the same folds."""
    same = {name: getattr(row, name) for name in _SAME}
    beside = pool(
        [
            result
            for result in clear
            if result['cell']['fold'] in row.folds
            and all(result['cell'][name] == value for name, value in same.items())
        ]
    )
    if not beside or beside[0].folds != row.folds or row.strongest not in beside[0].networks:
        folds = ' '.join(map(str, row.folds))
        raise ValueError(
            f'no audit of clear video beside {row.encoder}: run tools/audit.py --encoder {CLEAR} '
            f'--data {row.data} --protocol {row.protocol} --panel {row.panel} --fold {folds}'
        )
    return beside[0]


def _measured(row: PooledResult) -> Measured:
    return Measured(
        by=row.panel,
        data=row.data,
        output=row.output,
        folds=row.folds,
        attacker=row.strongest,
        person=_estimate(row.leakage),
        linked=linked(row),
        action=_estimate(row.action) if row.action else None,
        witness=None if row.leakage.control is None else row.strongest in row.witnesses,
    )


def _verified(
    encoder: ClipEncoder, row: PooledResult, studies: Sequence[dict[str, Any]]
) -> dict[str, Verification]:
    """What a study of this very encoder found, on the same data and protocol."""
    found: dict[str, Verification] = {}
    wanted = describe(output_forms(encoder)[row.output])
    for document in studies:
        study = document['study']
        if (
            (same_clips(study['data']), study['protocol']) == audited_on(row)
            and rate_of(study['data']) == rate_of(row.data)
            and all(each == wanted for each in document['encoders'].values())
        ):
            found |= verifications(document)
    return found


def _estimate(figure: Pooled) -> Estimate:
    return Estimate(figure.value, figure.interval)


# ---------------------------------------------------------------- randomised response
def study_of(
    encoder: ClipEncoder, responses: Sequence[dict[str, Any]], every: int | None
) -> dict[str, Any] | None:
    """The study of this very encoder that measured its own probability.

    Bounds count codes: it is of each n-th frame, as the encoder's file says, where that says so.
    """
    if not getattr(encoder, 'flip', 0):
        return None
    for document in responses:
        settings = document['settings']
        if (
            encoder.flip in settings['flips']
            and every in (None, settings['every'])
            and all(each == describe(encoder) for each in document['encoders'].values())
        ):
            return document
    return None


def point_of(document: dict[str, Any], flip: float) -> dict[str, Any] | None:
    """What a study found at a probability, None where it did not measure there."""
    return next((point for point in document['points'] if point['flip'] == flip), None)


def coin_of(document: dict[str, Any]) -> float:
    """The probability at which codes tell nothing: what is found there, their number tells."""
    return 1 - 1 / document['num_levels']


def _bound(document: dict[str, Any], flip: float) -> Bound:
    point = point_of(document, flip)
    return Bound(
        flip=flip,
        every=document['settings']['every'],
        codes=document['codes'],
        bits=point['bits_at_most'],
        person=point['person_at_most'],
        action=point['action_at_most'],
        linked=point.get('linked_at_most'),
        pair_error=point['pair_error_at_least'],
    )


def _studied(document: dict[str, Any], flip: float) -> list[Measured]:
    """At the encoder's own probability, and where codes are a coin: what their number tells."""
    coin = coin_of(document)
    return [
        Measured(
            by=document['study']['kind'] + (', codes a coin' if point['flip'] == coin else ''),
            data=document['study']['data'],
            output=document['study']['output'],
            folds=document['folds'],
            attacker='template',
            person=Estimate.from_dict(point['identity']),
            linked=_linked(point),
            action=Estimate.from_dict(point['action']),
            witness=None,
        )
        for point in document['points']
        if point['flip'] in (flip, coin)
    ]


def _linked(point: dict[str, Any]) -> Accumulation | None:
    found = point.get('linked')
    if found is None:
        return None
    return Accumulation(found['clips'], found['value'], Interval(**found['interval']))


def _figures_of_study(document: dict[str, Any], encoder: ClipEncoder) -> dict[str, Any]:
    """Where the study is all that there is."""
    point, answers = point_of(document, encoder.flip), document['answers']
    scores = np.array(answers['identity_scores'][document['settings']['flips'].index(encoder.flip)])
    truth, groups = np.array(answers['identity']), answers['groups']
    together = _linked(point)
    return dict(
        config=describe(encoder),
        people=document['people'],
        clips=len(truth),
        folds=document['folds'],
        seeds=[],
        date=document['date'],
        versions=document['versions'],
        chance=1 / document['people'],
        action=Estimate.from_dict(point['action']),
        action_clear=None,
        attacker='template',
        leakage=Estimate.from_dict(point['identity']),
        # The only one.
        chosen_attacker='template',
        chosen_leakage=Estimate.from_dict(point['identity']),
        control=None,
        control_from=None,
        accumulation=[together] if together else [],
        verification={},
        information=information_bits(normalized(scores), truth, groups),
        worst=worst_person(scores.argmax(1) == truth, answers['persons'], groups),
    )
