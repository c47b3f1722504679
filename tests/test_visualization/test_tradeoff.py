"""The trade-off figure says what the results say, and its labels can be read."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.path import Path

from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import read_results
from bdq_plugin.visualization import tradeoff


@pytest.fixture
def rows(write_audit, tmp_path):
    write_audit('pass_through', action=20, subject=19, panel='quick')
    write_audit('bdq', action=18, subject=8)
    write_audit('bdq', action=17, subject=7, output='hard')
    write_audit('weak', action=10, subject=12)
    return pool(read_results(tmp_path / 'results'))


def points(axis):
    """Drawn marks by label, as (x, y, line, ends of the bars)."""
    found = {}
    for container in axis.containers:
        line, _, bars = container.lines
        found[container.get_label()] = (line, [bar.get_segments()[0] for bar in bars])
    return found


def test_points_intervals_and_marks(rows):
    axis = tradeoff(rows).axes[0]
    drawn = points(axis)
    assert set(drawn) == {
        'pass_through (soft)', 'bdq (soft)', 'bdq (hard)', 'weak (soft)',
    }  # fmt: skip
    line, (across, along) = drawn['bdq (soft)']
    np.testing.assert_allclose(line.get_xydata(), [[40, 90]])
    row = next(row for row in rows if (row.encoder, row.output) == ('bdq', 'soft'))
    subject, action = row.leakage.interval, row.action.interval
    np.testing.assert_allclose(across[:, 0], [100 * subject.low, 100 * subject.high])
    np.testing.assert_allclose(along[:, 1], [100 * action.low, 100 * action.high])
    assert drawn['bdq (soft)'][0].get_marker() != drawn['bdq (hard)'][0].get_marker()
    assert drawn['bdq (soft)'][0].get_color() == drawn['bdq (hard)'][0].get_color()
    assert line.get_markerfacecolor() == line.get_color()


def test_front_and_ideal(rows):
    axis = tradeoff(rows).axes[0]
    by_gid = {line.get_gid(): line for line in axis.lines if line.get_gid()}
    np.testing.assert_allclose(by_gid['ideal'].get_xydata(), [[20, 100]])
    # What is beaten is no part of it.
    np.testing.assert_allclose(by_gid['front'].get_xydata(), [[35, 85], [40, 90], [95, 100]])


def test_without_a_witness_marks_are_hollow(write_audit, tmp_path):
    # The attacker fails on clear video too: that it fails on the code shows nothing.
    write_audit('pass_through', action=20, subject=10)
    write_audit('bdq', action=18, subject=4)
    axis = tradeoff(pool(read_results(tmp_path / 'results'))).axes[0]
    assert points(axis)['bdq (soft)'][0].get_markerfacecolor() == 'white'
    assert not [line for line in axis.lines if line.get_gid() == 'front']
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert 'no witness among the attackers' in texts


def test_labels_of_twenty_points_can_be_read(write_audit, tmp_path):
    for i in range(12):
        write_audit(f'encoder_{i:02d}', action=12 + i % 5, subject=8 + i % 4)
        if i % 2:
            write_audit(f'encoder_{i:02d}', action=11 + i % 5, subject=7 + i % 4, output='hard')
    write_audit('lonely', action=20, subject=20)
    figure = tradeoff(pool(read_results(tmp_path / 'results')))
    figure.canvas.draw()
    axis, renderer = figure.axes[0], figure.canvas.get_renderer()
    texts = [text for text in axis.texts if text.get_gid() == 'label']
    assert len(texts) == 13 and len(points(axis)) == 19
    # Without the leader line, which Annotation counts as its own.
    boxes = [plt.Text.get_window_extent(text, renderer) for text in texts]
    marks = [axis.transData.transform(line.get_xydata()[0]) for line, _ in points(axis).values()]
    for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
        others = boxes[:i] + boxes[i + 1 :]
        leader = Path([axis.transData.transform(text.xy), (box.min + box.max) / 2])
        assert not any(box.overlaps(other) for other in others)
        assert not any(leader.intersects_bbox(other) for other in others)
        assert not any(box.contains(*mark) for mark in marks)
        assert figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max)


def test_a_line_joins_the_forms_of_an_encoder(rows):
    lines = [
        line.get_xydata() for line in tradeoff(rows).axes[0].lines if line.get_gid() == 'forms'
    ]
    joined = [sorted(line.tolist()) for line in lines if len(line) == 2]
    np.testing.assert_allclose(joined, [[[35, 85], [40, 90]]])


def test_what_cannot_be_compared(rows, write_audit, tmp_path):
    with pytest.raises(ValueError, match=r'run tools/audit\.py first'):
        tradeoff([])
    write_audit('bdq', action=3, subject=3, data='kth')
    with pytest.raises(ValueError, match='one data set, protocol and panel'):
        tradeoff(pool(read_results(tmp_path / 'results')))
