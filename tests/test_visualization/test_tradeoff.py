"""The trade-off figure says what the results say, and its labels can be read."""

import numpy as np
import pytest

from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.visualization import tradeoff


@pytest.fixture
def figure_of(tmp_path):
    """The figure of all results that were written."""
    return lambda: tradeoff(pool(read_results(tmp_path / 'results')))


@pytest.fixture
def grid(write_audit):
    write_audit('pass_through', action=20, subject=19, controls=dict(scores=5), clips=60)
    write_audit('bdq', action=54, subject=24, clips=60)
    write_audit('bdq', action=51, subject=21, output='hard', clips=60)
    write_audit('weak', action=30, subject=36, clips=60)


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def bold(figure):
    labels = figure.axes[0].get_yticklabels()
    return {label.get_text() for label in labels if label.get_fontweight() == 'bold'}


def drawn(axis, name, place):
    """What is drawn of a row: marks as x, or intervals as their ends; above the line first."""
    lines = [line for line in axis.lines if line.get_gid() == name]
    mine = [line for line in lines if abs(line.get_ydata()[0] - place) < 0.4]
    return [line.get_xdata().tolist() for line in sorted(mine, key=lambda x: x.get_ydata()[0])]


def test_rows_by_what_leaks_with_marks_and_intervals(grid, figure_of, tmp_path):
    figure = figure_of()
    person, action = figure.axes
    shown = ['weak, soft', 'bdq, soft', 'bdq, hard', 'pass_through, soft']
    assert names(figure) == [*shown, "floor: the action's scores alone"]
    row = next(
        row
        for row in pool(read_results(tmp_path / 'results'))
        if (row.encoder, row.output) == ('bdq', 'soft')
    )
    (linked,) = row.accumulation((12,))
    intervals = [row.leakage.interval, linked.interval]
    assert drawn(person, 'mark', 1) == [[pytest.approx(40)], [pytest.approx(100 * linked.value)]]
    for ends, interval in zip(drawn(person, 'interval', 1), intervals, strict=True):
        np.testing.assert_allclose(ends, [100 * interval.low, 100 * interval.high])
    assert drawn(action, 'mark', 1) == [[pytest.approx(90)]]
    (ends,) = drawn(action, 'interval', 1)
    interval = row.action.interval
    np.testing.assert_allclose(ends, [100 * interval.low, 100 * interval.high])
    chances = [line.get_xdata()[0] for axis in figure.axes for line in axis.lines
               if line.get_gid() == 'chance']  # fmt: skip
    assert chances == [20, 50]
    # Without a network for the action there is no mark, and no other row's place is taken.
    assert drawn(person, 'mark', 4)[0] == [pytest.approx(100 * 5 / 60)]
    assert drawn(action, 'mark', 4) == []


def test_few_clips_cannot_be_linked(write_audit, figure_of):
    write_audit('bdq', action=18, subject=8)
    figure = figure_of()
    assert drawn(figure.axes[0], 'mark', 0) == [[40]]
    assert not any('linked' in text.get_text() for text in figure.legends[0].get_texts())


def test_the_front_is_bold(write_audit, figure_of):
    write_audit('pass_through', action=20, subject=19)
    write_audit('bdq', action=18, subject=8)
    write_audit('bdq', action=17, subject=7, output='hard')
    write_audit('beaten', action=10, subject=12)
    assert bold(figure_of()) == {'pass_through, soft', 'bdq, soft', 'bdq, hard'}


def test_without_a_witness_marks_are_crosses(write_audit, figure_of):
    # The attacker fails on clear video too: that it fails on the code shows nothing.
    write_audit('pass_through', action=20, subject=10)
    write_audit('bdq', action=18, subject=4)
    figure = figure_of()
    assert {line.get_marker() for line in figure.axes[0].lines if line.get_gid() == 'mark'} == {'x'}
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert 'no witness among the attackers' in texts and bold(figure) == set()


def test_of_several_panels_each_row_names_its_own(write_audit, figure_of):
    write_audit('bdq', action=18, subject=8)
    write_audit('bdq', action=18, subject=9, panel='templates')
    write_audit('d', action=18, subject=4, fold=1)
    write_audit('d', action=18, subject=4, fold=2)
    assert names(figure_of()) == ['bdq, soft, templates, fold 1', 'd, soft, quick']


def test_labels_of_twenty_rows_can_be_read(write_audit, figure_of):
    for i in range(20):
        write_audit(f'encoder_{i:02d}_of_a_long_name', action=12 + i % 5, subject=8 + i % 4)
    figure = figure_of()
    figure.canvas.draw()
    labels = figure.axes[0].get_yticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == 20
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max)
        assert box.x1 <= figure.axes[0].bbox.x0


def test_what_cannot_be_compared(write_audit, figure_of):
    with pytest.raises(ValueError, match=r'run tools/audit\.py first'):
        tradeoff([])
    write_audit('bdq', action=3, subject=3)
    write_audit('bdq', action=3, subject=3, data='kth')
    with pytest.raises(ValueError, match='one data set and protocol'):
        figure_of()
