"""One, two and four gloo processes end with the same weights; the estimate is its formula."""

import pytest

from benchmarks import scale


def test_weights_do_not_depend_on_the_number_of_processes():
    document = scale.study(quick=True)
    assert set(document['processes']) == {'1', '2', '4'}
    for row in document['processes'].values():
        assert row['weights_apart'] < 1e-5
        assert row['weights_moved'] > 1e-3
    assert '| 4 |' in scale.table(document)


def test_estimate_follows_the_ring():
    rows = scale.estimate(100_000_000)
    assert {row['gpus'] for row in rows} == {4, 32}
    for row in rows:
        expected = 1e3 * 2 * (row['gpus'] - 1) / row['gpus'] * 0.1 / row['assumed_gb_s']
        assert row['way_ms'] == pytest.approx(expected, abs=0.051)
        assert row['iteration_ms_for_90_percent'] == pytest.approx(9 * expected, abs=0.51)
