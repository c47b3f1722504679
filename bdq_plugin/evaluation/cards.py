"""Privacy cards: what an audit found of one encoder, in a shape that others know how to read.

A card is a Hugging Face model card (``README.md`` with ``model-index``, and ``eval_results.yaml``)
whose headings follow ISO/IEC 30136:2018 (performance of biometric template protection) and ISO/IEC
27559:2022 (de-identification framework). It states no conformity with either.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..atomic_files import write_text
from ..markdown import table
from .overview import LINKED
from .statistics import Accumulation, Estimate, Interval, PersonFigure, Verification
from .tables import listed

_EVAL = '.eval_results.yaml'


@dataclass(frozen=True)
class Measured:
    """One panel of attackers, or one study, under one condition.

    Attributes:
        by: name of the panel.
        data: name of the data, which says the condition.
        output: form of the encoder's output.
        folds: that were audited.
        attacker: its strongest.
        person: how often that one names the person.
        linked: the same where 12 clips are known to be of one person.
        action: of the panel's action network.
        witness: whether the attacker recognises people in clear video; None where nobody looked.
    """

    by: str
    data: str
    output: str
    folds: Sequence[int]
    attacker: str
    person: Estimate
    linked: Accumulation | None
    action: Estimate | None
    witness: bool | None


@dataclass(frozen=True)
class Bound:
    """What codes tell at most, whoever attacks; of codes that are replaced at random.

    Attributes:
        flip: probability that a code is replaced.
        every: each n-th frame was encoded.
        codes: of a clip, on average.
        bits: of a clip, of the person or of anything else.
        person, action, linked: how often one of the people or actions can be named, the last where
            12 clips are known to be of one person.
        pair_error: equal error rate at which two given clips are told apart, at least.
    """

    flip: float
    every: int
    codes: float
    bits: float
    person: float
    action: float
    linked: float | None
    pair_error: float


@dataclass(frozen=True)
class CardFigures:
    """All that a card says of an encoder; shares in [0, 1].

    Attributes:
        encoder: its name.
        config: its numbers, as in its file, JSON-ready.
        data, dataset_id: name of the data set, and its id on the hub (or the name that it has).
        protocol: how training and test clips are divided.
        people, clips: how many the audit had; the clips are those of the test, over all folds.
        folds, seeds: what was pooled.
        date: of the measurement, ISO 8601.
        versions: of the software.
        chance: one person's share.
        action, action_clear: accuracy of action networks on codes and on clear video; None where
            it was not measured.
        attacker, leakage: the strongest attacker by its test figure, and its accuracy.
        chosen_attacker, chosen_leakage: the attacker chosen inside the training takes.
        control, control_from: accuracy of the strongest attacker's recipe on clear video, None
            where it was not measured, and from what on it counts as a witness.
        accumulation: accuracy with k linked clips.
        verification: by a description of matcher, enrolment and people.
        information: lower bound of the bits about the person in a clip.
        worst: the person who is named most often.
        negative_controls: accuracy of attackers on what should say nothing, by what it is.
        kbit_per_second: rate of the codes, None where it was not measured.
        streams: whether a camera can send the codes, as whole levels in a fixed range.
        drawn: what a camera draws at random and nobody knows.
        measured: all that stands behind the card, the headline's panel among it.
        bound: against any attacker, where codes are replaced at random.
    """

    encoder: str
    config: Mapping[str, Any]
    data: str
    dataset_id: str
    protocol: str
    people: int
    clips: int
    folds: Sequence[int]
    seeds: Sequence[int]
    date: str
    versions: Mapping[str, str]
    chance: float
    action: Estimate | None
    action_clear: Estimate | None
    attacker: str
    leakage: Estimate
    chosen_attacker: str
    chosen_leakage: Estimate
    control: Estimate | None
    control_from: float | None
    accumulation: Sequence[Accumulation]
    verification: Mapping[str, Verification]
    information: Estimate
    worst: PersonFigure
    negative_controls: Mapping[str, Estimate] = field(default_factory=dict)
    kbit_per_second: float | None = None
    streams: bool = True
    drawn: Sequence[str] = ()
    measured: Sequence[Measured] = ()
    bound: Bound | None = None

    @property
    def witness(self) -> bool:
        """Whether the strongest attacker is known to recognise people in clear video."""
        return self.control is not None and self.control.value >= self.control_from


def write_card(figures: CardFigures, folder: str | os.PathLike, name: str) -> list[Path]:
    """Write ``NAME.md`` and ``NAME.eval_results.yaml`` into a folder, which is made if missing.

    The hub knows the first as a model's ``README.md``.
    """
    files = card_files(figures, folder, name)
    for path, content in files.items():
        write_text(path, content)
    return list(files)


def card_files(figures: CardFigures, folder: str | os.PathLike, name: str) -> dict[Path, str]:
    """What :func:`write_card` writes, by file."""
    contents = {f'{name}.md': privacy_card(figures), f'{name}{_EVAL}': eval_results(figures)}
    return {Path(folder) / file: content for file, content in contents.items()}


def privacy_card(figures: CardFigures) -> str:
    """The card as Markdown with metadata, see ``modelcard.md`` of huggingface/hub-docs."""
    metadata = {
        'library_name': 'bdq_plugin',
        'pipeline_tag': 'video-classification',
        'tags': ['privacy', 'video-encoder', 'action-recognition'],
        'model-index': [{'name': figures.encoder, 'results': [_hub_result(figures)]}],
    }
    sections = (_summary, _attackers, _success, _linkability, _measured, _bound, _context, _data,
                _identifiability, _governance)  # fmt: skip
    body = '\n'.join(text for section in sections if (text := section(figures)))
    return f'---\n{_yaml(metadata)}---\n\n{body}'


def eval_results(figures: CardFigures) -> str:
    """The figures as YAML, see ``eval_results.yaml`` of huggingface/hub-docs: one entry each.

    The hub reads such files in a folder ``.eval_results`` of the model, and draws leaderboards for
    data sets that are registered there as benchmarks alone.
    """
    return _yaml(
        [
            {
                'dataset': {'id': figures.dataset_id, 'task_id': metric['name']},
                'value': metric['value'],
                'date': figures.date,
                'notes': metric['notes'],
            }
            for metric in _metrics(figures)
        ]
    )


# ------------------------------------------------------------------ metadata
def _metrics(figures: CardFigures) -> list[dict[str, Any]]:
    """Each figure of the metadata: in per cent, or in bits."""
    rows = [] if figures.action is None else [('accuracy', 'action', figures.action, '%')]
    rows += [
        ('accuracy', f'person, strongest attacker ({figures.attacker})', figures.leakage, '%'),
        (
            'accuracy',
            f'person, attacker chosen in training ({figures.chosen_attacker})',
            figures.chosen_leakage,
            '%',
        ),
    ]
    for name, verification in figures.verification.items():
        rows.append(('eer', f'equal error rate, {name}', verification.eer, '%'))
        rows.append(('min_cllr', f'minimal Cllr, {name}', verification.min_cllr, 'bits'))
    rows.append(
        ('mutual_information', 'bits about the person in a clip', figures.information, 'bits')
    )
    return [
        dict(
            type=kind,
            name=name,
            unit=unit,
            value=float(_format(estimate.value, unit)),
            notes=f'{unit}; {_bounds(estimate.interval, unit)} ({estimate.interval.method})',
        )
        for kind, name, estimate, unit in rows
    ]


def _hub_result(figures: CardFigures) -> dict[str, Any]:
    return {
        'task': {'type': 'video-classification', 'name': 'Action recognition, people hidden'},
        'dataset': {
            'type': figures.dataset_id,
            'name': figures.data,
            'config': figures.protocol,
            'split': 'test',
        },
        'metrics': [
            {'type': m['type'], 'value': m['value'], 'name': f'{m["name"]} ({m["unit"]})'}
            for m in _metrics(figures)
        ],
    }


# ------------------------------------------------------------------ sections
def _summary(figures: CardFigures) -> str:
    text = [
        f'# {figures.encoder}\n',
        'This video encoder reduces identifiability, measured thus. It does not remove it: what '
        'leaves the camera remains personal data, and a better attacker than those below may '
        'recognise more.\n',
        table(
            ('', 'codes' if figures.streams else 'output', 'clear video'),
            [
                ('action', _known(figures.action), _known(figures.action_clear)),
                (
                    f'person, strongest attacker ({figures.attacker})',
                    _estimate(figures.leakage),
                    _known(figures.control),
                ),
                ('person, chance', _percent(figures.chance), _percent(figures.chance)),
            ],
        )
        + '\n',
        'Accuracy in %, with intervals by resampling people.\n',
    ]
    if not figures.streams:
        text.append(
            '**Not for a camera.** It gives no whole levels in a fixed range, so that no camera '
            'can send them: the figures are of the form that gives most away.\n'
        )
    if figures.control is None:
        text.append(
            '**No evidence by attack.** Whether this attacker names people in clear video was not '
            'measured under the same use: its failure on codes shows nothing.\n'
        )
    elif not figures.witness:
        text.append(
            f'**No evidence.** In clear video the strongest attacker names '
            f'{_percent(figures.control.value)} % of the clips, less than the '
            f'{_percent(figures.control_from)} % from which it counts as a witness: its failure on '
            'codes shows nothing.\n'
        )
    return '\n'.join(text)


def _attackers(figures: CardFigures) -> str:
    secret = (
        f'What the camera draws ({", ".join(figures.drawn)}) nobody knows: attackers learned from '
        'draws of their own.'
        if figures.drawn
        else 'There is no secret.'
    )
    control = (
        '- Control: not measured.\n'
        if figures.control is None
        else f'- Control: the strongest recipe on clear video names {_estimate(figures.control)} % '
        f'of the clips; from {_percent(figures.control_from)} % it counts as a witness.\n'
    )
    return (
        '## Who attacks, and with what (ISO/IEC 30136)\n\n'
        'Whoever has all codes that were ever sent, the encoder with all its numbers, labelled '
        f'video of the same people to encode and learn from, and any network. {secret}\n'
        f'- Strongest by its test figure, so that it errs upwards: {figures.attacker}.\n'
        f'- Chosen inside the training takes: {figures.chosen_attacker}.\n'
        f'{control}'
    )


def _success(figures: CardFigures) -> str:
    rows = [
        (f'strongest attacker ({figures.attacker})', _estimate(figures.leakage)),
        (f'chosen in training ({figures.chosen_attacker})', _estimate(figures.chosen_leakage)),
        (
            f'worst person ({figures.worst.person}, {figures.worst.clips} clips)',
            _percent(figures.worst.value),
        ),
        ('chance', _percent(figures.chance)),
    ]
    rows += [
        (f'negative control: {name}', _estimate(value))
        for name, value in figures.negative_controls.items()
    ]
    text = (
        '## Success probability (ISO/IEC 30136)\n\n'
        'Share of test clips whose person is named, in %.\n\n'
    ) + table(('', 'person named'), rows)
    return (
        f'{text}\n'
        if figures.negative_controls
        else f'{text}\n\nNo negative control was measured.\n'
    )


def _linkability(figures: CardFigures) -> str:
    linked = [(str(row.clips), _estimate(row)) for row in figures.accumulation]
    verified = [
        (name, _estimate(row.eer), _estimate(row.min_cllr, 'bits'), str(row.people))
        for name, row in figures.verification.items()
    ]
    return (
        '## Linkability (ISO/IEC 30136)\n\n'
        'Person named when so many clips are known to be of one person, in %.\n\n'
        + (table(('linked clips', 'person named'), linked) if linked else 'Not measured.')
        + '\n'
        + (_verification(verified) if verified else '\nVerification was not measured.\n')
    )


def _measured(figures: CardFigures) -> str:
    if not figures.measured:
        return ''
    rows = [
        (
            row.by,
            row.data,
            row.output,
            listed(row.folds),
            row.attacker + {True: '', False: ' ‡', None: ' (no control)'}[row.witness],
            _estimate(row.person),
            '' if row.linked is None else _percent(row.linked.value),
            '' if row.action is None else _estimate(row.action),
        )
        for row in figures.measured
    ]
    head = ('panel', 'data', 'output', 'folds', 'strongest attacker', 'person named')
    return (
        '## All that was measured\n\n'
        'In %; the figures above are those of the strongest attacker of the panels with most '
        'folds. Data with a name behind it are a condition before the encoder, or the same clips: '
        '`moved`, to attackers who learn from moved ones as well; `every` and a number, of which '
        'the camera encodes each such frame alone. ‡ no witness: the recipe fails on clear video.'
        '\n\n' + table((*head, f'{LINKED} linked', 'action'), rows) + '\n'
    )


def _bound(figures: CardFigures) -> str:
    bound = figures.bound
    if bound is None:
        return ''
    rows = [
        ('bits of a clip, at most', _format(bound.bits, 'bits')),
        ('person named in a clip, at most', _percent(bound.person)),
        ('action named in a clip, at most', _percent(bound.action)),
        ('equal error rate of two given clips, at least', _percent(bound.pair_error)),
    ]
    if bound.linked is not None:
        rows.insert(2, (f'person named in {LINKED} linked clips, at most', _percent(bound.linked)))
    return (
        '## A bound, against any attacker\n\n'
        f'Each code is replaced by another level with probability {_percent(bound.flip)} %; a clip '
        f'has {bound.codes:.0f} codes, for one of every {bound.every} frames is encoded. More '
        'frames, clips or cameras add up. It does not speak of the length of a clip, which tells '
        'something beside the codes.\n\n' + table(('', '% or bits'), rows) + '\n'
    )


def _verification(rows: Sequence[Sequence[str]]) -> str:
    return (
        '\nAre two clips of one person? Equal error rate in % (half of all pairs are misjudged '
        'where nothing is known), minimal Cllr in bits (0 everything is known, 1 nothing).\n\n'
        + table(('matcher', 'equal error rate', 'minimal Cllr', 'people'), rows)
        + '\n'
    )


def _context(figures: CardFigures) -> str:
    rate = (
        'The rate of the codes was not measured.'
        if figures.kbit_per_second is None
        else f'The codes take {figures.kbit_per_second:.1f} kbit/s.'
    )
    place = (
        'The encoder is meant to run in the camera: clear frames exist in its memory alone, and '
        'whoever runs code there has everything.'
        if figures.streams
        else 'The encoder is one for research: where it runs, clear frames are.'
    )
    return (
        '## Context (ISO/IEC 27559)\n\n'
        f'{place} Storage, network, the action recogniser and its '
        f'operators see codes. {rate}\n'
    )


def _data(figures: CardFigures) -> str:
    seeds = f'; seeds {listed(figures.seeds)}' if figures.seeds else ''
    return (
        '## Data (ISO/IEC 27559)\n\n'
        f'{figures.data}, protocol `{figures.protocol}`: {figures.people} people, {figures.clips} '
        f'test clips; folds {listed(figures.folds)}{seeds}. Other people, views, light or actions '
        'may leak more or less.\n\n'
        'The encoder:\n\n'
        f'```yaml\n{_yaml(dict(figures.config))}```\n'
    )


def _identifiability(figures: CardFigures) -> str:
    return (
        '## Identifiability (ISO/IEC 27559)\n\n'
        f'A clip holds at least {_estimate(figures.information, "bits")} bits about which of the '
        f'{figures.people} people is seen, as proved by an attacker whose answers were calibrated '
        'on training clips. Both the mean and the worst person count: see success probability. '
        'What is not seen here by any attacker may still be there.\n'
    )


def _governance(figures: CardFigures) -> str:
    versions = ', '.join(f'{name} {version}' for name, version in figures.versions.items())
    return (
        '## Governance (ISO/IEC 27559)\n\n'
        f'Measured on {figures.date} with {versions}. Measure again with your own camera, people '
        'and light before use, and whenever encoder, attackers or purpose change. Send and keep '
        'the least; encrypt and sign the channel; let nobody label codes with names. This card '
        'states no conformity with either standard.\n'
    )


# ------------------------------------------------------------------ text
def _format(value: float, unit: str) -> str:
    return f'{100 * value:.1f}' if unit == '%' else f'{value:.2f}'


def _percent(value: float) -> str:
    return _format(value, '%')


def _bounds(interval: Interval, unit: str) -> str:
    return f'{_format(interval.low, unit)} to {_format(interval.high, unit)}'


def _known(estimate: Estimate | None) -> str:
    return 'not measured' if estimate is None else _estimate(estimate)


def _estimate(estimate: Estimate | Accumulation, unit: str = '%') -> str:
    return f'{_format(estimate.value, unit)} ({_bounds(estimate.interval, unit)})'


def _yaml(values: Any) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
