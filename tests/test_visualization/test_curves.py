"""What is drawn is what was logged, in per cent and by epoch."""

import numpy as np
import pytest

from bdq_plugin.encoders.functional import spread_thresholds
from bdq_plugin.visualization import accuracy_curves, compare_runs, encoder_history, read_run
from bdq_plugin.visualization.logs import RunLog, Series


def series(epochs, values):
    return Series(np.array(epochs, float), np.array(values, float))


def drawn(axis, label):
    (line,) = [line for line in axis.lines if line.get_label() == label]
    return line


@pytest.fixture
def log():
    return RunLog(
        'a run',
        {
            'action/top1_acc': series([0.5, 1, 1.5, 2], [0.2, 0.4, 0.6, 1.0]),
            'privacy/subject_acc': series([0.5, 1, 1.5, 2], [0, 0.5, 0.5, 0.5]),
            'encoder/sigma': series([1, 2], [1, 1.2]),
            'encoder/range_low': series([1, 2], [-0.25, -0.3]),
            'encoder/range_high': series([1, 2], [0.25, 0.4]),
            'encoder/threshold_01': series([1, 2], [0.5, 0.7]),
            'encoder/threshold_02': series([1, 2], [1.5, 1.4]),
        },
        {
            'action/top1': series([2], [0.75]),
            'privacy/frame_top1': series([1, 2], [0.3, 0.2]),
            'privacy/chance': series([1, 2], [0.1, 0.1]),
        },
        'json',
    )


def test_accuracy_is_that_of_the_log(log):
    action, privacy = accuracy_curves(log).axes
    np.testing.assert_allclose(drawn(action, 'training').get_xydata(), [[1, 30], [2, 80]])
    np.testing.assert_allclose(drawn(action, 'val., clips').get_xydata(), [[2, 75]])
    # A single point is seen only by its mark.
    assert drawn(action, 'val., clips').get_marker() not in ('', 'None')
    np.testing.assert_allclose(drawn(privacy, 'val., single frames').get_ydata(), [30, 20])
    np.testing.assert_allclose(drawn(privacy, 'chance').get_ydata(), [10, 10])


def test_a_network_by_itself_has_one_panel(log):
    alone = RunLog('stage 2', {'top1_acc': series([1], [0.5])}, {}, 'json')
    (axis,) = accuracy_curves(alone).axes
    assert axis.get_title('left') == 'Action'
    assert drawn(axis, 'training').get_marker() == '.'


def test_several_privacy_networks_have_a_line_each(log):
    tags = {f'privacy/net{i}.subject_acc': series([1], [i / 4]) for i in range(3)}
    axis = accuracy_curves(RunLog('many', tags, {}, 'json')).axes[0]
    for i in range(3):
        np.testing.assert_allclose(drawn(axis, f'training, network {i + 1}').get_ydata(), [25 * i])


def test_nothing_to_draw_is_said(log):
    empty = RunLog('losses', {'loss': series([1], [1])}, {}, 'json')
    with pytest.raises(ValueError, match="'losses' logged no accuracy, only loss"):
        accuracy_curves(empty)
    with pytest.raises(ValueError, match="'losses' logged no numbers of an encoder"):
        encoder_history(empty)
    with pytest.raises(ValueError, match=r'no validation accuracy in any run \(losses\)'):
        compare_runs([empty])
    with pytest.raises(ValueError, match=r'\(none given\)'):
        compare_runs([])


def test_compared_runs_differ_in_colour_line_and_mark(log):
    other = RunLog('other', {}, {'action/top1': series([1, 2], [0.5, 1])}, 'json')
    action, privacy = compare_runs([log, other]).axes
    lines = [drawn(action, name) for name in ('a run', 'other')]
    np.testing.assert_allclose(lines[0].get_ydata(), [75])
    np.testing.assert_allclose(lines[1].get_ydata(), [50, 100])
    for look in ('get_color', 'get_linestyle', 'get_marker'):
        assert len({getattr(line, look)() for line in lines}) == 2
    assert [line.get_label() for line in privacy.lines] == ['a run', 'chance']


def test_history_shows_moves_from_even_spacing(log):
    thresholds, sigma, limits = encoder_history(log).axes[:3]
    moves = [line.get_ydata() for line in thresholds.lines[:2]]
    np.testing.assert_allclose(moves, [[0, 0.2], [0, -0.1]], atol=1e-6)
    np.testing.assert_allclose(sigma.lines[0].get_ydata(), [1, 1.2])
    np.testing.assert_allclose(drawn(limits, 'lowest').get_ydata(), [-0.25, -0.3])


def test_one_epoch_is_seen(log):
    """As points, on an axis that begins where training did."""
    first = {tag: Series(curve.epochs[-1:], curve.values[-1:]) for tag, curve in log.train.items()}
    run = RunLog('one epoch', first, {}, 'json')
    axes = [*accuracy_curves(run).axes, *encoder_history(run).axes[:3], *compare_runs([log]).axes]
    lines = [line for axis in axes for line in axis.lines if len(line.get_xdata()) == 1]
    assert len(lines) == 8 and all(line.get_marker() not in ('', 'None') for line in lines)
    assert all(axis.get_xlim()[0] == 0 for axis in axes)


def test_real_run(finished_run):
    log = read_run(finished_run, 'tensorboard')
    assert len(accuracy_curves(log).axes) == 2
    axis = encoder_history(log).axes[0]
    learned = [line.get_ydata()[-1] for line in axis.lines[:15]] + spread_thresholds(16).numpy()
    last = [log.train[f'encoder/threshold_{i:02d}'].values[-1] for i in range(1, 16)]
    np.testing.assert_allclose(learned, last, atol=1e-6)
