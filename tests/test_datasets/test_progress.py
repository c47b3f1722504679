"""Progress: every item comes through, with plain lines where there is no terminal."""

from __future__ import annotations

from bdq_plugin.datasets.progress import track


def test_lines_without_a_terminal(capsys):
    assert list(track(list(range(10)), 'reading')) == list(range(10))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f'reading: {n}/10' for n in (2, 4, 6, 8, 10)]


def test_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    assert list(track('abc', 'reading')) == ['a', 'b', 'c']
    shown = capsys.readouterr().err
    assert shown.startswith('reading\n') and '3/3' in shown


def test_nothing_to_do(capsys):
    assert list(track([], 'reading')) == []
    assert capsys.readouterr().err == ''
