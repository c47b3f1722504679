"""Blur, difference and quantisation against closed forms, in float64 and on odd inputs."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from bdq_plugin.encoders.functional import (
    block_mean,
    gaussian_blur,
    gaussian_kernel,
    hard_levels,
    pad_frames,
    quantize,
    soft_levels,
    spread_thresholds,
    temporal_difference,
)


def clip(*shape, **kwargs):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), **kwargs)


class TestGaussianKernel:
    def test_values_at_sigma_one(self):
        raw = [math.exp(-0.5 * k * k) for k in (-2, -1, 0, 1, 2)]
        expected = torch.tensor([v / sum(raw) for v in raw])
        torch.testing.assert_close(gaussian_kernel(1.0), expected)

    @pytest.mark.parametrize('sigma', [0.3, 1.0, 3.0, 50.0])
    def test_sums_to_one(self, sigma):
        # An earlier code scaled the kernel twice, to a sum of 0.159 at sigma 1.
        assert gaussian_kernel(sigma).sum().item() == pytest.approx(1.0, abs=1e-6)

    @pytest.mark.parametrize('size', [0, 4, -1])
    def test_rejects_even_size(self, size):
        with pytest.raises(ValueError, match='odd'):
            gaussian_kernel(1.0, size)


class TestGaussianBlur:
    def test_equals_2d_convolution(self):
        x = clip(2, 3, 4, 9, 7, dtype=torch.float64)
        kernel = gaussian_kernel(torch.tensor(3.0, dtype=torch.float64))
        weight = torch.outer(kernel, kernel)[None, None]
        frames = x.flatten(0, 2)[:, None]
        expected = torch.nn.functional.conv2d(frames, weight, padding=2).view_as(x)
        torch.testing.assert_close(gaussian_blur(x, 3.0, padding='zeros'), expected)

    def test_impulse_gives_the_kernel(self):
        x = torch.zeros(1, 1, 1, 9, 9)
        x[..., 4, 4] = 1
        kernel = gaussian_kernel(1.5)
        expected = torch.outer(kernel, kernel)
        torch.testing.assert_close(gaussian_blur(x, 1.5)[0, 0, 0, 2:7, 2:7], expected)

    def test_replicate_keeps_a_constant_frame(self):
        x = torch.full((1, 2, 3, 5, 4), 0.7)
        torch.testing.assert_close(gaussian_blur(x, 2.0), x)
        assert gaussian_blur(x, 2.0, padding='zeros')[..., 0, 0].max() < 0.5

    @pytest.mark.parametrize('size', [(1, 1), (1, 5), (3, 2), (17, 33)])
    def test_odd_sizes(self, size):
        x = clip(1, 1, 2, *size)
        assert gaussian_blur(x, 1.0).shape == x.shape

    def test_non_contiguous(self):
        x = clip(2, 4, 3, 6, 5).transpose(1, 2)
        assert not x.is_contiguous()
        torch.testing.assert_close(gaussian_blur(x, 1.0), gaussian_blur(x.contiguous(), 1.0))

    def test_gradcheck(self):
        x = clip(1, 1, 2, 4, 3, dtype=torch.float64).requires_grad_()
        sigma = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
        assert gradcheck(gaussian_blur, (x, sigma))

    def test_unknown_padding(self):
        with pytest.raises(ValueError, match="'reflect'.*replicate"):
            pad_frames(clip(1, 1, 1, 4, 4), 1, 'reflect')


class TestTemporalDifference:
    def test_values_and_no_wrapped_frame(self):
        x = torch.tensor([1.0, 4.0, 2.0]).view(1, 1, 3, 1, 1)
        assert temporal_difference(x).flatten().tolist() == [3.0, -2.0]

    def test_still_clip_is_zero(self):
        x = clip(1, 3, 1, 4, 4).expand(1, 3, 5, 4, 4)
        assert temporal_difference(x).abs().max() == 0

    def test_one_frame(self):
        with pytest.raises(ValueError, match='at least 2 frames, got 1'):
            temporal_difference(clip(1, 1, 1, 4, 4))

    def test_gradcheck(self):
        x = clip(1, 2, 3, 2, 2, dtype=torch.float64).requires_grad_()
        assert gradcheck(temporal_difference, (x,))


class TestBlockMean:
    def test_values_and_shape(self):
        x = clip(2, 3, 4, 6, 10, dtype=torch.float64)
        y = block_mean(x, 2)
        assert y.shape == (2, 3, 4, 3, 5)
        torch.testing.assert_close(y[1, 2, 3, 1, 4], x[1, 2, 3, 2:4, 8:10].mean())

    def test_a_block_of_one_changes_nothing(self):
        x = clip(1, 1, 2, 5, 7)
        assert block_mean(x, 1) is x

    def test_after_the_difference_it_is_the_same(self):
        x = clip(1, 3, 4, 16, 24, dtype=torch.float64)
        after = block_mean(temporal_difference(x), 8)
        torch.testing.assert_close(temporal_difference(block_mean(x, 8)), after)

    @pytest.mark.parametrize('size', [(12, 16), (16, 12), (4, 4)])
    def test_frames_that_are_no_whole_blocks_are_refused(self, size):
        with pytest.raises(ValueError, match=f'{size[0]} x {size[1]}.*multiples of 8'):
            block_mean(clip(1, 1, 1, *size), 8)

    def test_gradcheck(self):
        x = clip(1, 2, 2, 4, 6, dtype=torch.float64).requires_grad_()
        assert gradcheck(lambda x: block_mean(x, 2), (x,))


class TestQuantize:
    @pytest.mark.parametrize('levels', [2, 3, 16, 256])
    def test_thresholds_are_even_and_symmetric(self, levels):
        thresholds = spread_thresholds(levels)
        assert thresholds.tolist() == [k + 0.5 for k in range(levels - 1)]
        assert (thresholds + thresholds.flip(0)).unique().tolist() == [levels - 1]

    @pytest.mark.parametrize('levels', [1, 0, 257])
    def test_number_of_levels_is_checked(self, levels):
        with pytest.raises(ValueError, match='between 2 and 256'):
            spread_thresholds(levels)

    def test_soft_staircase_is_nearly_the_identity_at_hardness_five(self):
        # SPEC: slope 0.70 to 1.32 and never more than 0.049 of a level away.
        u = torch.linspace(1, 14, 2001, dtype=torch.float64)
        y = soft_levels(u, spread_thresholds(16).double(), 5.0)
        assert (y - u).abs().max() < 0.05
        slope = (y[1:] - y[:-1]) / (u[1:] - u[:-1])
        assert 0.69 < slope.min() < 0.72
        assert 1.30 < slope.max() < 1.33

    def test_hard_levels_count_thresholds_below(self):
        u = torch.tensor([-1.0, 0.5, 0.500001, 7.5, 7.6, 99.0])
        assert hard_levels(u, spread_thresholds(16)).tolist() == [0, 0, 1, 7, 8, 15]

    def test_soft_approaches_hard_as_hardness_grows(self):
        x = clip(500) * 2 - 1
        thresholds = spread_thresholds(16)
        hard = quantize(x, thresholds, -1.0, 1.0, hard=True)
        u = 15 * (x + 1) / 2
        away = ((u[:, None] - thresholds).abs() > 0.02).all(1)
        soft = quantize(x, thresholds, -1.0, 1.0, hardness=1000.0)
        torch.testing.assert_close(soft[away], hard[away], atol=1e-4, rtol=0)

    def test_hard_output_has_only_the_levels(self):
        y = quantize(clip(1000) * 4 - 2, spread_thresholds(4), -1.0, 1.0, hard=True)
        expected = torch.tensor([-1, -1 / 3, 1 / 3, 1])
        torch.testing.assert_close(y.unique(), expected)

    def test_straight_through_gradient_is_the_soft_one(self):
        x = clip(50).requires_grad_()
        thresholds = spread_thresholds(8).requires_grad_()
        grads = []
        for hard in (False, True):
            y = quantize(x, thresholds, 0.0, 1.0, hard=hard)
            grads.append(torch.autograd.grad(y.square().sum() * 0 + y.sum(), (x, thresholds)))
        for soft, hard in zip(*grads, strict=True):
            torch.testing.assert_close(soft, hard)
            assert soft.abs().max() > 0

    def test_gradcheck_with_limits_and_thresholds(self):
        x = clip(6, dtype=torch.float64).requires_grad_()
        thresholds = spread_thresholds(4).double().requires_grad_()
        low = torch.tensor(-0.2, dtype=torch.float64, requires_grad=True)
        high = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
        assert gradcheck(
            lambda *a: quantize(*a, hardness=2.0, eps=1e-4), (x, thresholds, low, high)
        )
