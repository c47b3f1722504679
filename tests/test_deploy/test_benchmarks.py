from __future__ import annotations

import json
import sys

import pytest

from benchmarks import docs, streaming


def test_the_page_quotes_the_results():
    page = docs.PAGE.read_text()
    assert docs.fill(page) == page, 'run `python -m benchmarks.docs`'
    with pytest.raises(ValueError, match='needs one'):
        docs.fill('no markers')


def test_targets_were_met_where_the_results_come_from():
    results = json.loads(streaming.RESULTS.read_text())
    for size, target in results['targets_fps'].items():
        measured = results['frames_per_second'][size]['streaming encoder, 16 levels']
        assert measured['median_fps'] >= target
    assert all(held['state_frames'] <= 4 for held in results['memory'].values())


def test_the_benchmark_runs(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'streaming.json'
    monkeypatch.setattr(streaming, 'SIZES', {'40x30': (30, 40, 3)})
    monkeypatch.setattr(streaming, 'TARGETS', {'40x30': 1})
    monkeypatch.setattr(streaming.os, 'sched_setaffinity', lambda *_: None, raising=False)
    monkeypatch.setattr(sys, 'argv', ['streaming', '--rounds', '1', '--out', str(out)])
    streaming.main()
    assert 'met' in capsys.readouterr().out
    assert json.loads(out.read_text())['frames_per_second']['40x30']
