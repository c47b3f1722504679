"""The Triton kernels in Triton's interpreter against the plain form: see test_triton.py."""

import pytest
import torch

from bdq_plugin.encoders import build_encoder
from bdq_plugin.encoders.backends import triton as triton_backend
from bdq_plugin.encoders.backends.triton import kernels as triton_kernels
from bdq_plugin.encoders.backends.triton import parts as triton_parts
from bdq_plugin.encoders.integer import integer_codes

from .comparison import (
    FIXED,
    assert_float32_equals_plain,
    assert_none_stays_none,
    clip,
    results,
)

# The interpreter takes its time: clips are small, and each case is for many things.
SMALL = dict(num_levels=3, kernel_size=3)


def test_they_are_interpreted():
    assert triton_parts.INTERPRETED


@pytest.mark.parametrize(
    ('shape', 'options'),
    [
        ((2, 1, 2, 5, 7), dict(padding='zeros', range='clip', **SMALL)),
        ((2, 1, 2, 5, 7), dict(range='batch', **SMALL)),
        # Strips that fit the frame, and several of them a row.
        ((1, 1, 2, 16, 35), dict(**FIXED, **SMALL)),
        ((1, 1, 2, 8, 9), dict(padding='zeros', **FIXED, num_levels=3)),
        # Two, three and four thresholds: groups of three that are not full, and one that is.
        ((1, 1, 2, 5, 6), dict(**FIXED, num_levels=4, kernel_size=1)),
        ((1, 1, 2, 5, 6), dict(**FIXED, num_levels=5, kernel_size=1)),
        ((1, 2, 1, 5, 7), dict(**FIXED, blur=False, difference=False, num_levels=2)),
        # More thresholds than one program holds.
        ((1, 1, 2, 5, 7), dict(range='clip', num_levels=19, kernel_size=3)),
    ],
)
def test_equals_plain(shape, options):
    assert_float32_equals_plain(clip(*shape), 'triton', **options)


def test_non_contiguous():
    x = clip(1, 1, 3, 9, 4).transpose(3, 4)
    assert_float32_equals_plain(x, 'triton', **SMALL, **FIXED)


@pytest.mark.parametrize(
    'thresholds',
    [
        # As far apart as a common exponential and division reach, and further.
        [0.5, 1.0, 7.0],
        [0.5, 1.0, 9.0],
        [14.0, 1.5, -3.0],
        [-20.0, 1.5, 30.0],
        [1.5, 1.5, 1.5],
        # Near each other in threes, but not all of them.
        [-17.0, -16.0, -16.5, 20.0, 20.5, 21.0],
    ],
)
def test_thresholds_near_and_far(thresholds):
    levels = len(thresholds) + 1
    options = dict(num_levels=levels, kernel_size=1, range='fixed', range_limit=0.1)
    thresholds = torch.tensor(thresholds)
    x = clip(1, 1, 2, 8, 16)
    assert_float32_equals_plain(x, 'triton', thresholds=thresholds, **options)


@pytest.mark.parametrize(('hardness', 'is_near'), [(5.0, True), (10.0, True), (60.0, False)])
def test_evenly_spread_thresholds_are_near(monkeypatch, hardness, is_near):
    def slow(*_):
        raise AssertionError('one exponential each')

    for name in ('count_levels', 'sigmoids_apart'):
        monkeypatch.setattr(triton_kernels, name, slow)
    options = dict(kernel_size=1, hardness=hardness, range='fixed', backend='triton')
    encoder = build_encoder('bdq', **options)
    assert encoder.quantize.thresholds.numel() == 15
    if is_near:
        encoder(clip(1, 1, 2, 3, 3)).sum().backward()
    else:
        with pytest.raises(Exception, match='one exponential each'):
            encoder(clip(1, 1, 2, 3, 3))


@pytest.mark.parametrize('hardness', [0.5, 60.0])
def test_hardness(hardness):
    # The steeper, the more a rounding of u weighs in the gradient.
    options = dict(hardness=hardness, num_levels=5, kernel_size=1, **FIXED)
    plain, found = (results(clip(1, 1, 2, 6, 6), b, **options) for b in ('plain', 'triton'))
    for a, b in zip(found, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-5 * hardness * b.abs().max().item())


def test_far_out_of_the_range():
    x = torch.tensor([-1e30, -1e4, 0.0, 1e4, 1e30, torch.inf, -torch.inf]).view(1, 1, 1, 1, 7)
    options = dict(blur=False, difference=False, range='fixed', range_limit=1.0)
    expected, found = (results(x, b, **options) for b in ('plain', 'triton'))
    torch.testing.assert_close(found[0], expected[0])


@pytest.mark.parametrize(
    ('where', 'mode', 'range_options'),
    [
        ('pixel', 'soft', FIXED),
        ('pixel', 'hard', dict(range='clip')),
        ('pixel', 'hard', FIXED),
        ('threshold', 'hard', FIXED),
    ],
)
def test_what_is_no_number_stays_none(where, mode, range_options):
    assert_none_stays_none('triton', where, mode=mode, **range_options)


@pytest.mark.parametrize('range_options', [FIXED, dict(range='clip')])
def test_hard(range_options):
    x = clip(1, 1, 3, 5, 6)
    plain, found = (
        results(x, b, mode='hard', **SMALL, **range_options) for b in ('plain', 'triton')
    )
    for a, b in zip(found, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())


@pytest.mark.parametrize('name', ['sign_16', 'sign_2'])
def test_a_still_scene_lies_on_a_threshold(name):
    x = (clip(1, 1, 3, 4, 5) * 255).round() / 255
    x[:, :, 2] = x[:, :, 1]
    for limit in (0.3, 0.7, 1.0):
        options = dict(range_limit=limit, kernel_size=3)
        plain, found = (build_encoder(name, **options, backend=b)(x) for b in ('plain', 'triton'))
        assert torch.equal(found, plain)


@pytest.mark.parametrize(
    ('shape', 'options'),
    [
        ((2, 1, 3, 9, 5), dict(num_levels=4)),
        ((1, 1, 2, 33, 8), dict(padding='zeros', num_levels=3)),  # two strips, when it is turned
        ((1, 1, 1, 5, 4), dict(difference=False, blur=False, num_levels=256)),
        ((1, 1, 2, 3, 2), dict(kernel_size=7)),
    ],
)
def test_integer_codes_are_those_of_torch(shape, options):
    form = build_encoder('bdq_hard', **options).integer_form()
    frames = (clip(*shape) * 255).round().to(torch.uint8)
    frames[..., -1, :2] = frames[:, :, :1, ..., -1, :2]  # still, and so on a threshold
    frames = frames.transpose(3, 4)
    found = triton_backend.integer_codes(frames, form)
    assert found.dtype == torch.uint8
    assert torch.equal(found, integer_codes(form, frames))


def test_frozen_sigma():
    x = clip(1, 1, 2, 5, 5)
    assert_float32_equals_plain(x, 'triton', learn_sigma=False, **SMALL, **FIXED)


def test_rejects_what_only_plain_can_do():
    encoder = build_encoder('bdq', backend='triton')
    with pytest.raises(ValueError, match='float64'):
        encoder(clip(1, 1, 3, 8, 8).double())
