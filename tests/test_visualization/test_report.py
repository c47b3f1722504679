"""The report holds what the files say, stands alone, and survives what is missing."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bdq_plugin.evaluation.statistics import wilson_interval
from bdq_plugin.visualization.html import markdown_table, table
from bdq_plugin.visualization.report import Options, write_report

NO_BROWSER = 'no chromium: apt-get install -y chromium'


@pytest.fixture(scope='session')
def report(finished_run, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp('report') / 'report.html'
    return write_report(finished_run, out).read_text()


@pytest.fixture
def copied_run(finished_run, tmp_path) -> Path:
    return shutil.copytree(finished_run, tmp_path / 'game')


def cells(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading."""
    part = text[text.index(f'>{heading}</h2>') :]
    rows = re.findall(r'<tr>(.*?)</tr>', part[: part.index('</table>')], re.DOTALL)
    return [
        [html.unescape(cell) for cell in re.findall(r'<t[dh][^>]*>(.*?)</t[dh]>', row)]
        for row in rows
    ]


def notes(text: str) -> list[str]:
    return [html.unescape(note) for note in re.findall(r'<p class="note">(.*?)</p>', text)]


def test_metrics_are_those_of_the_run(report, finished_run):
    document = json.loads((finished_run / 'metrics.json').read_text())
    head, row = cells(report, 'Test metrics')
    shown = dict(zip(head, row, strict=True))
    share, clips = document['metrics']['action/top1'], document['test_clips']
    interval = wilson_interval(share * clips, clips)
    assert (
        shown['action']
        == f'{100 * share:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})'
    )
    assert (
        shown['person, single frames'] == f'{100 * document["metrics"]["privacy/frame_top1"]:.1f}'
    )
    assert (shown['run'], shown['test clips'], shown['epochs']) == ('game', str(clips), '2')
    assert cells(report, 'Versions')[1:] == [list(v) for v in document['versions'].items()]


def test_encoder_split_and_config(report, finished_run):
    state = json.loads((finished_run / 'encoder.json').read_text())['state']
    shown = dict(cells(report, 'Encoder')[1:])
    assert shown['thresholds'].split(', ')[0] == f'{state["quantize.thresholds"][0]:.4g}'
    assert shown['range_low'] == 'of each clip'
    assert '<li>clips: train 24, val 24, test 24</li>' in report
    assert 'Protocol <b>subsequence</b>, fold 1' in report and 'identity is not defined' in report
    assert 'type=&#x27;AdversarialTrainLoop&#x27;' in report
    assert notes(report) == []
    # Two sample clips, three charts.
    assert report.count('src="data:image/png;base64,') == 2
    assert report.count('src="data:image/svg+xml;base64,') == 3


def test_it_needs_no_network(report):
    assert set(re.findall(r'(?:src|href)="([a-z]+:|#)', report)) == {'data:', '#'}
    assert '<script' not in report and '@import' not in report and 'url(' not in report


def test_clear_frames_only_where_asked_for(report, finished_run, tmp_path):
    assert 'in clear' not in report
    text = write_report(
        finished_run, tmp_path / 'r.html', options=Options(clips=1, clear=True)
    ).read_text()
    assert 'after each part of the encoder and in clear' in text


def test_what_is_missing_is_said_and_the_rest_is_there(copied_run, tmp_path):
    (copied_run / 'metrics.json').unlink()
    (copied_run / 'encoder.json').write_text('{"format": ')
    (scalars,) = copied_run.glob('*/vis_data/scalars.json')
    scalars.unlink()
    (events,) = copied_run.glob('*/vis_data/events*')
    events.write_bytes(events.read_bytes()[:-7])
    text = write_report(copied_run, audit=tmp_path / 'none').read_text()
    said = '\n'.join(notes(text))
    for expected in (
        'the run is not finished', 'breaks off', 'is not an encoder file',
        'no audit result in', 'the versions of game are not known',
    ):  # fmt: skip
        assert expected in said
    assert 'game: accuracy by epoch' in text and 'clips: train ' in text


def test_data_that_are_gone(copied_run):
    options = Options(data_root='/nowhere', ann_file='/nowhere.csv')
    text = write_report(copied_run, options=options).read_text()
    said = '\n'.join(notes(text))
    assert 'no histogram of the levels, for want of the data' in said
    assert 'sample clips of game cannot be shown' in said
    assert 'The staircase: initial and learned thresholds</figcaption>' in text


def test_folders_of_runs_are_compared(copied_run):
    shutil.copytree(copied_run, copied_run.parent / 'again')
    text = write_report(copied_run.parent).read_text()
    assert sorted(row[0] for row in cells(text, 'Test metrics')[1:]) == ['again', 'game']
    assert 'Validation accuracy of all runs' in text
    # Both have the same encoder: it is shown once.
    assert text.count('>thresholds</td>') == 1


def test_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match='holds neither a run nor an audit result: expected'):
        write_report(tmp_path)
    with pytest.raises(FileNotFoundError, match='no folder'):
        write_report(tmp_path / 'nowhere')
    (tmp_path / 'foreign.json').write_text('[1, 2]')
    with pytest.raises(ValueError, match='is not an audit result'):
        write_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['foreign.json']


def test_audit_report(write_audit, tmp_path):
    write_audit('bdq', action=18, subject=8)
    write_audit('bdq', action=17, subject=7, output='hard')
    (tmp_path / 'results' / 'broken.json').write_text('{')
    text = write_report(tmp_path / 'results').read_text()
    head, soft, hard, _ = cells(text, 'Audit')
    assert dict(zip(head, soft, strict=True))['action'] == '90.0'
    assert dict(zip(head, hard, strict=True))['most leaked'].startswith('35.0 (')
    assert 'a finding &lt;about&gt; the split' in text
    said = notes(text)
    assert 'broken.json is not an audit result' in said[0]
    assert text.count('src="data:image/svg+xml;base64,') == 1


def test_cells_are_text():
    assert '<td>&lt;b&gt;</td>' in table(['<i>'], [['<b>']])
    rows = re.findall(r'<td>(.*?)</td>', markdown_table('| a |\n|---|\n| 1 |\n\nfoot\n'))
    assert rows == ['1']


@pytest.mark.parametrize('width', [1280, 390])
def test_fits_the_screen_in_a_real_browser(report, tmp_path, width):
    """Nothing but tables scrolls sideways, every picture loads, at laptop and at phone width."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    if chromium is None:
        pytest.skip(NO_BROWSER)
    # A window is never as narrow as a phone, a frame is.
    script = """
        onload = () => {
            const page = document.querySelector('iframe').contentDocument;
            const pictures = [...page.images];
            document.body.dataset.wide = page.documentElement.scrollWidth;
            document.body.dataset.broken = pictures.filter(i => !i.naturalWidth).length;
            document.body.dataset.pictures = pictures.length;
            document.body.dataset.widest = Math.max(...pictures.map(i => i.clientWidth));
            document.body.dataset.letters = parseFloat(getComputedStyle(page.body).fontSize);
        }"""
    wrapper = tmp_path / 'wrapper.html'
    wrapper.write_text(
        f'<meta charset="utf-8"><script>{script}</script>'
        f'<iframe width="{width}" height="900" srcdoc="{html.escape(report)}"></iframe>'
    )
    result = subprocess.run(
        [chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
         '--no-first-run', '--disable-background-networking', '--disable-component-update',
         '--disable-sync', f'--user-data-dir={tmp_path / "profile"}', '--dump-dom', str(wrapper)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    measured = dict(re.findall(r'data-([a-z]+)="([\d.]+)"', result.stdout))
    assert measured['broken'] == '0' and measured['pictures'] == '5', measured
    assert float(measured['wide']) <= width
    assert float(measured['widest']) <= width - 32
    assert float(measured['letters']) >= 16
