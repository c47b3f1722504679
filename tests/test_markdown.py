"""Pages are filled from results and from nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bdq_plugin.markdown import fill, fill_page, places, table

from .game import REPOSITORY


def test_a_table():
    lines = table(['a', 'b'], [[1, 'x'], ['', 2.5]]).splitlines()
    assert lines == ['| a | b |', '| --- | --- |', '| 1 | x |', '|  | 2.5 |']


def test_fill_replaces_places_and_nothing_else(tmp_path: Path):
    text = (
        'a\n<!-- table:one -->\nstale\n<!-- /table -->\nb <!-- no: place -->\n'
        'in <!-- stress:kill.runs -->old<!-- /stress --> runs, <!-- table:one --><!-- /table -->.\n'
    )
    makers = dict(table=lambda name: f'{name}!\n', stress=lambda name: len(name))
    assert places(text) == ['table:one', 'stress:kill.runs', 'table:one']
    (page := tmp_path / 'page.md').write_text(text)
    assert not fill_page(page, makers, check=True) and page.read_text() == text
    assert not fill_page(page, makers) and fill_page(page, makers)
    assert page.read_text() == (
        'a\n<!-- table:one -->\none!\n<!-- /table -->\nb <!-- no: place -->\n'
        'in <!-- stress:kill.runs -->9<!-- /stress --> runs, '
        '<!-- table:one -->one!<!-- /table -->.\n'
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<!-- table:a -->\n<!-- table:b -->\n<!-- /table -->', 'table:b --> has no'),
        ('<!-- table:a -->\n', 'table:a --> has no <!-- /table -->'),
        ('<!-- other:a --><!-- /other -->', 'other:a -->: nothing makes it; kinds are table'),
    ],
)
def test_what_is_no_place(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        fill(text, dict(table=str))


@pytest.fixture
def results_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / 'tools'))
    import results_table

    return results_table


def test_every_page_quotes_the_results(results_table, capsys):
    results_table.main(['--check'])
    assert 'README.md' in capsys.readouterr().out


def test_every_measurement_is_quoted():
    pages = [REPOSITORY / 'README.md', *(REPOSITORY / 'docs').glob('*.md')]
    found = {place for page in pages for place in places(page.read_text())}
    studies = (REPOSITORY / 'benchmarks' / 'results').glob('*.json')
    assert {f'benchmark:{path.stem}' for path in studies} < found
    stress = {path.stem for path in (REPOSITORY / 'results' / 'stress').glob('*.json')}
    assert stress == {re.split('[:.]', place)[1] for place in found if place.startswith('stress')}


def test_a_figure_is_of_its_file(results_table, tmp_path: Path):
    (tmp_path / 'kill_audit.json').write_text(json.dumps(dict(kills=15)))
    marks = [f'<!-- stress:{key} -->old<!-- /stress -->' for key in ('kill_audit.kills', 'no.x')]
    (page := tmp_path / 'page.md').write_text(' '.join(marks))
    options = ['--file', str(page), '--stress', str(tmp_path)]
    with pytest.raises(SystemExit, match='out of date: .*page.md'):
        results_table.main([*options, '--check'])
    results_table.main(options)
    filled = zip(marks, ('15', 'not measured'), strict=True)
    assert page.read_text() == ' '.join(mark.replace('old', new) for mark, new in filled)
