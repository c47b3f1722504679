"""The privacy card of an encoder of the zoo, from the audits of this very encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..encoders import ClipEncoder, load_zoo_encoder
from .candidates import describe, output_forms
from .cards import CardFigures
from .pooling import CLEAR, Pooled, PooledResult, Result, pool
from .publishing import is_audit_of
from .statistics import Estimate, Verification
from .verification_study import verifications


def zoo_figures(
    name: str,
    results: Sequence[Result],
    studies: Sequence[dict[str, Any]] = (),
    panel: str | None = None,
    kbit_per_second: float | None = None,
) -> CardFigures:
    """Figures of the form that leaves a camera, where the encoder has one.

    Args:
        name: in the zoo.
        results: audits, those of clear video among them.
        studies: results of verification.
        panel: whose audits; by default the one with most attackers.
        kbit_per_second: rate of the codes, where it was measured.

    Raises:
        ValueError: no such encoder, or no audit of it, or none of clear video beside it.
    """
    encoder = load_zoo_encoder(name)
    mine = [
        result
        for result in results
        if is_audit_of(encoder, result) and panel in (None, result['cell']['panel'])
    ]
    rows = [row for row in pool(mine) if row.answers is not None and row.action is not None]
    if not rows:
        raise ValueError(
            f'no audit of {name} with an action network: run tools/audit.py --encoder {name}'
        )
    row = max(rows, key=_worth)
    used = [result for result in mine if _is_of(row, result)]
    clear = _clear_beside(row, results, used)
    control, worst, information = clear.networks[row.strongest], row.worst(), row.information()
    assert row.chosen is not None and worst is not None and information is not None
    first = used[0]
    return CardFigures(
        encoder=name,
        config=describe(output_forms(encoder)[row.output]),
        data=row.data.upper(),
        dataset_id=row.data,
        protocol=row.protocol,
        people=len(first['test']['identity_names']),
        clips=len(row.leakage.hits.ids),
        folds=row.folds,
        seeds=row.seeds,
        date=max(result.get('date', 'a day that was not noted') for result in used),
        versions=first['versions'],
        chance=row.leakage.chance,
        action=_estimate(row.action),
        action_clear=_estimate(clear.action),
        attacker=row.strongest,
        leakage=_estimate(row.leakage),
        chosen_attacker=' and '.join(row.chosen_names),
        chosen_leakage=_estimate(row.chosen),
        control=_estimate(control),
        control_from=row.control_from,
        accumulation=row.accumulation(),
        verification=_verified(encoder, row, studies),
        information=information,
        worst=worst,
        negative_controls=row.controls,
        kbit_per_second=kbit_per_second,
    )


def _worth(row: PooledResult) -> tuple[bool, int, int]:
    """The form that leaves a camera first, then the strongest panel, then most runs."""
    return row.output == 'hard', len(row.attackers), len(row.folds) * len(row.seeds)


def _is_of(row: PooledResult, result: Result) -> bool:
    cell = result['cell']
    names = ('data', 'protocol', 'encoder', 'output', 'panel')
    return (
        all(cell[name] == getattr(row, name) for name in names)
        and cell['fold'] in row.folds
        and cell['seed'] in row.seeds
    )


def _clear_beside(
    row: PooledResult, results: Sequence[Result], used: Sequence[Result]
) -> PooledResult:
    """Clear video under the same panel on the same folds."""
    same = {name: used[0]['cell'][name] for name in ('data', 'protocol', 'panel')}
    beside = pool(
        [
            result
            for result in results
            if result['cell']['encoder'] == CLEAR
            and result['cell']['fold'] in row.folds
            and all(result['cell'][name] == value for name, value in same.items())
        ]
    )
    if (
        not beside
        or beside[0].folds != row.folds
        or row.strongest not in beside[0].networks
        or beside[0].action is None
    ):
        folds = ' '.join(map(str, row.folds))
        raise ValueError(
            f'no audit of clear video beside {row.encoder}: run tools/audit.py --encoder {CLEAR} '
            f'--data {row.data} --protocol {row.protocol} --panel {row.panel} --fold {folds}'
        )
    return beside[0]


def _verified(
    encoder: ClipEncoder, row: PooledResult, studies: Sequence[dict[str, Any]]
) -> dict[str, Verification]:
    """What a study of this very encoder found, on the same data and protocol."""
    found: dict[str, Verification] = {}
    wanted = describe(output_forms(encoder)[row.output])
    for document in studies:
        study = document['study']
        if (study['data'], study['protocol']) == (row.data, row.protocol) and all(
            each == wanted for each in document['encoders'].values()
        ):
            found |= verifications(document)
    return found


def _estimate(figure: Pooled) -> Estimate:
    return Estimate(figure.value, figure.interval)
