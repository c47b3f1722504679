"""Curves with intervals show what they were given."""

import matplotlib.image
import numpy as np
import pytest

from bdq_plugin.evaluation.statistics import Accumulation, Interval, LearningPoint
from bdq_plugin.visualization import accumulation_curves, learning_curve, save_figure

CLIPS = (1, 2, 4, 8, 12)


def points(kind, start: float, clips=CLIPS):
    values = [min(1.0, start * (i + 1) ** 0.6) for i in range(len(clips))]
    return [
        kind(k, v, Interval(max(0, v - 0.1), min(1, v + 0.15), 'by hand'))
        for k, v in zip(clips, values, strict=True)
    ]


@pytest.mark.parametrize(
    ('draw', 'kind', 'clips', 'label'),
    [
        (accumulation_curves, Accumulation, CLIPS, 'clips known to be of one person'),
        (learning_curve, LearningPoint, (20, 60, 120, 240), "clips in the attacker's training"),
    ],
)
def test_points_and_whiskers_are_the_figures(draw, kind, clips, label, tmp_path) -> None:
    given = {
        'clear video': points(kind, 0.75, clips),
        'bdq_hard': points(kind, 0.55, clips)[::-1],
        'sign_2': points(kind, 0.3, clips),
    }
    figure = draw(given, chance=0.1)
    (axis,) = figure.axes
    assert axis.get_xlabel() == label
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['chance', *given]
    for curve, wanted in zip(axis.containers, given.values(), strict=True):
        line, _, (whiskers,) = curve
        wanted = sorted(wanted, key=lambda point: point.clips)
        np.testing.assert_allclose(line.get_xdata(orig=False), clips, rtol=0.05)
        np.testing.assert_allclose(line.get_ydata(orig=False), [100 * p.value for p in wanted])
        ends = [segment[:, 1] / 100 for segment in whiskers.get_segments()]
        bounds = [(p.interval.low, p.interval.high) for p in wanted]
        np.testing.assert_allclose(ends, bounds, atol=1e-12)
    figure.draw_without_rendering()
    ticks = [int(label.get_text()) for label in axis.get_xticklabels()]
    assert ticks == list(clips)
    for ending in ('pdf', 'png'):
        path = save_figure(draw(given, chance=0.1), tmp_path / f'curves.{ending}')
        assert path.stat().st_size > 5000
    assert matplotlib.image.imread(path).std() > 0.05


def test_a_curve_needs_points() -> None:
    with pytest.raises(ValueError, match=r"a curve needs points, got \[\('bdq', 0\)\]"):
        accumulation_curves({'bdq': []}, chance=0.1)
    with pytest.raises(ValueError, match=r'got \[\]'):
        learning_curve({}, chance=0.1)
