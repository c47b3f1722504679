"""One HTML file about runs or audits. What cannot be shown is said, and the rest is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..atomic_files import write_text
from ..datasets.protocols import ProtocolAudit
from ..encoders import ClipEncoder, build_encoder, load_encoder
from ..encoders.files import load_state
from ..evaluation.pooling import CAVEAT, pool
from ..evaluation.results import read_result
from ..evaluation.statistics import wilson_interval
from ..evaluation.tables import attackers_table, audit_table, controls_table, differences_table
from ..progress import track
from . import html
from .clips import audit_data, run_data, run_split_audit, test_clips
from .curves import accuracy_curves, compare_runs, encoder_history
from .logs import RunLog, config_text, find_runs, read_metrics, read_run
from .sheet import contact_sheet
from .staircase import staircase
from .tradeoff import tradeoff

Section = tuple[str, str]
_CLIPS_OF_HISTOGRAM = 16
# Figures of a run that are shares of test clips, so that Wilson's interval holds.
_CLIP_FIGURES = {'action/top1': 'action', 'privacy/vote_top1': 'person, vote of a clip'}
_TABLES = (
    ('Attackers', attackers_table),
    ('Negative controls', controls_table),
    ('Differences, paired by person', differences_table),
)
_OTHER_FIGURES = {'privacy/frame_top1': 'person, single frames', 'privacy/chance': 'chance, person'}


@dataclass(frozen=True)
class Options:
    """What a report shows.

    Attributes:
        clips: number of sample clips.
        clear: whether they are also shown in clear; the report then says so.
        data_root, ann_file: where the data are; by default as the configs say.
    """

    clips: int = 2
    clear: bool = False
    data_root: str | None = None
    ann_file: str | None = None


def write_report(
    folder: str | os.PathLike,
    out: str | os.PathLike | None = None,
    audit: str | os.PathLike | None = None,
    options: Options | None = None,
) -> Path:
    """Write a report about a run, several runs, or audits.

    Args:
        folder: work directory of a run, a folder of such, or a folder of audit results.
        out: HTML file; by default ``report.html`` in ``folder``.
        audit: folder of audit results, shown after the runs.
        options: see :class:`Options`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it holds neither runs nor audit results.
    """
    folder, options = Path(folder), options or Options()
    sections = build_sections(folder, audit, options)
    text = html.page(f'BDQ report: {folder.resolve().name}', sections)
    return write_text(out or folder / 'report.html', text)


def build_sections(
    folder: Path, audit: str | os.PathLike | None, options: Options
) -> list[Section]:
    """Headings and HTML of a report; see :func:`write_report`."""
    if not folder.is_dir():
        raise FileNotFoundError(f'no folder {folder}')
    runs = find_runs(folder)
    results = Path(audit) if audit is not None else folder
    found, broken = read_audits(results) if audit is not None or not runs else ([], [])
    if not runs and not found:
        reason = '; '.join(broken) or (
            'expected the work_dir of tools/train.py, a folder of such, or audit results'
        )
        raise ValueError(f'{folder} holds neither a run nor an audit result: {reason}')
    sections = run_sections(runs, options) if runs else []
    if found or audit is not None:
        sections += audit_sections(found, broken, results, options)
    return sections


def attempt(make: Callable[[], str], what: str) -> str:
    """The HTML of a part, or a note that says why it is missing."""
    try:
        return make()
    # Whatever ails one part, such as a broken file, the others are still worth having.
    except Exception as error:
        return html.note(f'{what} cannot be shown: {error or type(error).__name__}')


# ------------------------------------------------------------------ runs
def run_sections(runs: Sequence[Path], options: Options) -> list[Section]:
    """Metrics, curves, encoders, clips, splits, configs of runs."""
    logs: dict[Path, RunLog] = {}
    notes = ''
    for run in runs:
        try:
            logs[run] = read_run(run)
            notes += ''.join(map(html.note, logs[run].warnings))
        except (OSError, ValueError) as error:
            notes += html.note(f'the curves of {run.name} cannot be shown: {error}')
    encoders = _distinct_encoders(runs)
    return [
        ('Test metrics', _metrics_table(runs)),
        ('Training', notes + _training(list(logs.values()))),
        ('Encoder', _per_run(encoders, 'an encoder', lambda r: _run_encoder(r, logs, options))),
        ('Sample clips', _per_run(encoders, 'sample clips', lambda r: _run_clips(r, options))),
        ('Split audit', _per_run(runs[:1], 'the split', lambda r: _run_split(r, options))),
        ('Configs', ''.join(_config(run) for run in runs)),
        ('Versions', _run_versions(runs)),
    ]


def _per_run(runs: Sequence[Path], what: str, make: Callable[[Path], str]) -> str:
    if not runs:
        return html.note(f'no run has {what}')
    parts = []
    for run in track(runs, f'report, {what}', 'runs'):
        body = attempt(lambda run=run: make(run), f'{what} of {run.name}')
        parts.append(body if len(runs) == 1 else f'<h3>{html.escape(run.name)}</h3>\n{body}')
    return ''.join(parts)


def _distinct_encoders(runs: Sequence[Path]) -> list[Path]:
    """The first run with each encoder: stage 2 uses that of the game. Clear video has none."""
    chosen: dict[str, Path] = {}
    for run in runs:
        path = run / 'encoder.json'
        if not path.is_file():
            continue
        try:
            document = json.loads(path.read_text())
            key = json.dumps([document[name] for name in ('type', 'config', 'state')])
            clear = document['type'] == 'PassThrough'
        except (ValueError, KeyError, TypeError):
            key, clear = str(run), False  # broken: the section will say so
        if not clear:
            chosen.setdefault(key, run)
    return list(chosen.values())


def _metrics_table(runs: Sequence[Path]) -> str:
    rows, notes = [], ''
    for run in runs:
        try:
            rows.append([run.name, *_metrics_row(read_metrics(run))])
        except (ValueError, KeyError, TypeError) as error:
            notes += html.note(f'{run.name} has no test metrics: {error}')
    head = ['run', *_CLIP_FIGURES.values(), *_OTHER_FIGURES.values(), 'test clips', 'epochs',
            'seed', 'minutes']  # fmt: skip
    caption = '<p class="small">In %, with Wilson 95 % intervals over the test clips.</p>\n'
    return (html.table(head, rows) + caption if rows else '') + notes


def _metrics_row(document: dict[str, Any]) -> list[str]:
    metrics, clips = document['metrics'], document['test_clips']
    cells = [_with_interval(metrics[k], clips) if k in metrics else '' for k in _CLIP_FIGURES]
    cells += [f'{100 * metrics[k]:.1f}' if k in metrics else '' for k in _OTHER_FIGURES]
    minutes = f'{document["train_seconds"] / 60:.1f}'
    return [*cells, str(clips), str(document['epochs']), str(document['seed']), minutes]


def _with_interval(share: float, clips: int) -> str:
    interval = wilson_interval(share * clips, clips)
    return f'{100 * share:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})'


def _training(logs: Sequence[RunLog]) -> str:
    parts = [
        attempt(
            lambda log=log: html.picture(
                accuracy_curves(log), f'{log.name}: accuracy by epoch, in training and validation'
            ),
            f'the curves of {log.name}',
        )
        for log in logs
    ]
    if len(logs) > 1:
        compared = attempt(
            lambda: html.picture(compare_runs(logs), 'Validation accuracy of all runs'),
            'the comparison',
        )
        parts.insert(0, compared)
    return f'<div class="figures">{"".join(parts)}</div>\n'


def _run_encoder(run: Path, logs: dict[Path, RunLog], options: Options) -> str:
    encoder = load_encoder(run / 'encoder.json')
    body = _numbers(encoder)
    if not getattr(encoder, 'quantizes', False):
        return body
    clips, missing = None, ''
    try:
        data = run_data(run, options.data_root, options.ann_file)
        clips, _ = test_clips(*data, _CLIPS_OF_HISTOGRAM)
    except (OSError, ValueError, KeyError) as error:
        missing = html.note(f'no histogram of the levels, for want of the data: {error}')
    figures = attempt(
        lambda: html.picture(staircase(encoder, clips), _staircase_caption(clips)), 'the staircase'
    )
    if run in logs and any(tag.startswith('encoder/') for tag in logs[run].train):
        figures += attempt(
            lambda: html.picture(encoder_history(logs[run]), "The encoder's numbers in training"),
            'the history',
        )
    return f'{body}{missing}<div class="figures">{figures}</div>\n'


def _staircase_caption(clips: torch.Tensor | None) -> str:
    caption = 'The staircase: initial and learned thresholds'
    return caption if clips is None else f'{caption}, and the levels of {len(clips)} test clips'


def _numbers(encoder: ClipEncoder) -> str:
    """What it learned, and folded away what it was built from."""
    state = encoder.extra_state()
    if getattr(encoder, 'quantizes', False) and encoder.quantize.range != 'fixed':
        # Read off each clip or batch; what is stored is not used.
        state['range_low'] = state['range_high'] = f'of each {encoder.quantize.range}'
    rows = [['type', type(encoder).__name__], *([k, _plain(v)] for k, v in state.items())]
    arguments = ''.join(f'{name}={value!r}\n' for name, value in encoder.config.items())
    return html.table(['number', 'value'], rows) + html.details('Arguments', arguments)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f'{value:.4g}'
    return ', '.join(map(_plain, value)) if isinstance(value, list) else str(value)


def _run_clips(run: Path, options: Options) -> str:
    data = run_data(run, options.data_root, options.ann_file)
    return _sheets(load_encoder(run / 'encoder.json'), *data, options)


def _sheets(
    encoder: ClipEncoder, dataset: dict[str, Any], protocol: str, fold: int, options: Options
) -> str:
    if not hasattr(encoder, 'blurs'):
        return html.note(f'{type(encoder).__name__} has no parts to show')
    clips, actions = test_clips(dataset, protocol, fold, options.clips)
    return ''.join(
        html.picture(
            contact_sheet(encoder, clip, clear=options.clear),
            f'A test clip, "{action}", after each part of the encoder'
            + (' and in clear' if options.clear else ''),
            photo=True,
        )
        for clip, action in zip(clips, actions, strict=True)
    )


def _run_split(run: Path, options: Options) -> str:
    audit, protocol, fold = run_split_audit(run, options.data_root, options.ann_file)
    return _split(audit.to_dict(), protocol, fold)


def _split(audit: dict[str, Any], protocol: str, fold: int) -> str:
    text = str(ProtocolAudit(**audit)).splitlines()
    items = ''.join(f'<li>{html.escape(line.removeprefix("- "))}</li>\n' for line in text)
    return f'<p>Protocol <b>{html.escape(str(protocol))}</b>, fold {fold}.</p>\n<ul>{items}</ul>\n'


def _config(run: Path) -> str:
    return attempt(lambda: html.details(run.name, config_text(run)), f'the config of {run.name}')


def _run_versions(runs: Sequence[Path]) -> str:
    """One table where all runs agree."""
    sets, notes = {}, ''
    for run in runs:
        try:
            versions = read_metrics(run)['versions']
            sets.setdefault(tuple(versions.items()), []).append(run.name)
        except (ValueError, KeyError, AttributeError) as error:
            notes += html.note(f'the versions of {run.name} are not known: {error}')
    tables = [
        html.table(['package', ', '.join(names)], versions) for versions, names in sets.items()
    ]
    return ''.join(tables) + notes


# ------------------------------------------------------------------ audits
def read_audits(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The audit results under a folder, and what is wrong with those that cannot be read."""
    found, broken = [], []
    for path in sorted(folder.rglob('*.json')):
        try:
            found.append(read_result(path))
        except (OSError, ValueError) as error:
            broken.append(str(error))
    return found, broken


def audit_sections(
    results: Sequence[dict[str, Any]], broken: Sequence[str], folder: Path, options: Options
) -> list[Section]:
    """Table and trade-off of each group, encoders, clips, splits, panels and versions."""
    notes = ''.join(map(html.note, broken))
    if not results:
        return [('Audit', notes + html.note(f'no audit result in {folder}: run tools/audit.py'))]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for result in results:
        cell = result['cell']
        groups.setdefault((cell['data'], cell['protocol'], cell['panel']), []).append(result)
    parts = [_audit_group(name, group) for name, group in groups.items()]
    first = {(r['cell']['encoder'], r['cell']['output']): r for r in reversed(results)}
    shown = {r['cell']['encoder']: r for r in reversed(first.values())}
    caveat = f'<p class="small">{html.escape(CAVEAT)}</p>\n'
    return [
        ('Audit', notes + ''.join(parts) + caveat),
        ('Audited encoders', _audited(shown, lambda r: _numbers(_encoder_of(r)), 'the numbers')),
        ('Audited clips', _audited(shown, lambda r: _audited_clips(r, options), 'clips')),
        ('Splits of the audit', _audit_splits(results)),
        ('Panels', _panels(results)),
        ('Versions of the audit', _audit_versions(results)),
    ]


def _audit_group(name: tuple[str, str, str], group: Sequence[dict[str, Any]]) -> str:
    heading = f'<h3>{html.escape("{}, {}, panel {}".format(*name))}</h3>\n'

    def make() -> str:
        rows = sorted(pool(group), key=lambda row: (row.encoder, row.output != 'soft'))
        figure = attempt(
            lambda: html.picture(
                tradeoff(rows), 'What the strongest attacker tells of the person, and the action'
            ),
            'the trade-off',
        )
        tables = ''.join(
            f'<h4>{title}</h4>\n{html.markdown_table(table(rows))}' for title, table in _TABLES
        )
        return html.markdown_table(audit_table(rows)) + figure + tables

    return heading + attempt(make, 'this group')


def _encoder_of(result: dict[str, Any]) -> ClipEncoder:
    document = result['encoder']
    encoder = build_encoder(document['type'], **document['config'])
    load_state(encoder, document['state'], result['cell']['encoder'])
    return encoder


def _audited(
    shown: dict[str, dict[str, Any]], make: Callable[[dict[str, Any]], str], what: str
) -> str:
    parts = []
    for name, result in track(list(shown.items()), f'report, {what}', 'encoders'):
        body = attempt(lambda result=result: make(result), f'{what} of {name}')
        parts.append(f'<details><summary>{html.escape(name)}</summary>{body}</details>\n')
    return ''.join(parts)


def _audited_clips(result: dict[str, Any], options: Options) -> str:
    cell, encoder = result['cell'], _encoder_of(result)
    data = audit_data(cell['data'], options.data_root, options.ann_file)
    return _sheets(encoder, data.dataset, cell['protocol'], cell['fold'], options)


def _audit_splits(results: Sequence[dict[str, Any]]) -> str:
    splits = {}
    for result in results:
        cell = result['cell']
        splits[cell['data'], cell['protocol'], cell['fold']] = result['protocol_audit']
    return ''.join(
        f'<h3>{html.escape(data)}</h3>\n{_split(audit, protocol, fold)}'
        for (data, protocol, fold), audit in splits.items()
    )


def _panels(results: Sequence[dict[str, Any]]) -> str:
    panels = {result['cell']['panel']: result['panel'] for result in results}
    return ''.join(html.details(k, json.dumps(v, indent=2)) for k, v in panels.items())


def _audit_versions(results: Sequence[dict[str, Any]]) -> str:
    sets = list(dict.fromkeys(tuple(result['versions'].items()) for result in results))
    return ''.join(html.table(['package', 'version'], versions) for versions in sets)
