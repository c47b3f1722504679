import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bdq_plugin.evaluation.results import (
    FORMAT,
    FORMAT_VERSION,
    Cell,
    Partial,
    claim,
    comparable,
    differences,
    finished,
    read_result,
    write_json,
)

from ..audit_data import made_result

CELL = Cell('ixmas', 'take', 3, 'bdq', 'hard', 0, 'quick')


def test_path_and_key() -> None:
    path = CELL.path('results/audit')
    assert path == Path('results/audit/ixmas/take/fold3/bdq-hard-seed0-quick.json')
    assert CELL.key == 'ixmas-take-fold3-bdq-hard-seed0-quick'


@pytest.mark.parametrize('name', ['../x', 'a/b', 'A', '', '.hidden', 'a-b'])
def test_names_are_parts_of_paths(name: str) -> None:
    with pytest.raises(ValueError, match='encoder name'):
        replace(CELL, encoder=name)


def test_write_is_whole_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'a' / 'b.json'
    write_json(path, {'x': [1, 2], 'y': 'z'})
    assert path.read_text() == '{\n"x": [1, 2],\n"y": "z"\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {'x': object()})
    assert json.loads(path.read_text()) == {'x': [1, 2], 'y': 'z'}
    assert os.listdir(path.parent) == ['b.json']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', 'is not an audit result'),
        ('[]', 'lacks "format"'),
        ('{"format": "bdq-audit", "version": 99}', 'version 99, this package reads 2'),
    ],
)
def test_what_is_no_result_of_this_version_is_named(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / 'r.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_result(path)


def test_a_finished_cell_must_have_the_same_settings(tmp_path: Path) -> None:
    path = tmp_path / 'r.json'
    assert finished(path, 'aaa') is None
    write_json(path, dict(format=FORMAT, version=FORMAT_VERSION, fingerprint='aaa'))
    assert finished(path, 'aaa')['fingerprint'] == 'aaa'
    with pytest.raises(ValueError, match='another encoder, panel or data'):
        finished(path, 'bbb')


def test_partial_results_belong_to_their_settings(tmp_path: Path) -> None:
    partial = Partial(tmp_path / 'cell', 'aaa')
    assert partial.get('frame') is None
    partial.put('frame', dict(seconds=1.0))
    assert partial.get('frame') == dict(seconds=1.0)
    assert Partial(tmp_path / 'cell', 'bbb').get('frame') is None
    partial.clear()
    assert partial.get('frame') is None and not (tmp_path / 'cell').exists()


def _hold(path: Path, ready, release) -> None:
    with claim(path) as ours:
        ready.put(ours)
        release.wait()  # until it is killed


def test_one_of_two_processes_gets_the_claim_and_death_frees_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context('fork')
    path, ready, release = tmp_path / 'x.lock', context.Queue(), context.Event()
    first = context.Process(target=_hold, args=(path, ready, release))
    first.start()
    assert ready.get(timeout=120)
    with claim(path) as ours:
        assert not ours
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    with claim(path) as ours:
        assert ours
    with claim(path) as ours:
        assert ours


def test_a_repetition_is_compared_by_its_scores_not_by_its_times() -> None:
    first, again = made_result(8), made_result(8)
    again['attackers']['frame']['seconds'], again['date'] = 99.0, '2032-01-01'
    assert differences(comparable(first), comparable(again)) == []
    again['attackers']['frame']['scores'][3][1] += 0.001
    del again['notes']
    found = differences(comparable(first), comparable(again))
    assert found == ['attackers.frame.scores[3][1]', 'notes']
