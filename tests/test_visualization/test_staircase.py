"""The staircase is that of the encoder, and the histogram that of its codes."""

import numpy as np
import pytest
import torch

from bdq_plugin.encoders import build_encoder
from bdq_plugin.visualization import level_shares, staircase


@pytest.fixture
def encoder():
    encoder = build_encoder('bdq')
    with torch.no_grad():
        encoder.quantize.thresholds += 0.25
    return encoder


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 1, 6, 12, 16), generator=generator).to(torch.uint8)


def line(axis, label):
    (found,) = [line for line in axis.lines if line.get_label() == label]
    return found


def test_steps_stand_at_the_thresholds(encoder, clips):
    stairs, _ = staircase(encoder, clips).axes
    for label, shift in (('initial, hard', 0), ('learned, hard', 0.25)):
        x, y = line(stairs, label).get_data()
        steps = x[1:][np.diff(y) > 0]
        np.testing.assert_allclose(steps, np.arange(15) + 0.5 + shift, atol=0.02)
    soft = line(stairs, 'learned, soft (H = 5)').get_ydata()
    assert np.abs(soft - line(stairs, 'learned, hard').get_ydata()).max() == pytest.approx(
        0.5, abs=0.1
    )


def test_bars_are_shares_of_the_codes(encoder, clips):
    codes = encoder.codes(clips)
    bars = staircase(encoder, clips).axes[1].patches
    heights = [bar.get_height() for bar in bars]
    np.testing.assert_allclose(
        heights, [100 * (codes == k).float().mean() for k in range(16)], atol=1e-4
    )
    assert sum(heights) == pytest.approx(100, abs=1e-3)
    assert bars[3].get_x() == pytest.approx(2.75)
    np.testing.assert_allclose(level_shares(encoder, clips), np.array(heights) / 100, atol=1e-6)


def test_without_clips_and_without_quantiser(encoder):
    assert len(staircase(encoder).axes) == 1
    with pytest.raises(ValueError, match='does not quantise: it has no staircase'):
        staircase(build_encoder('pass_through'))


def test_two_levels_are_one_step(clips):
    bars = staircase(build_encoder('sign_2'), clips).axes[1].patches
    assert len(bars) == 2
