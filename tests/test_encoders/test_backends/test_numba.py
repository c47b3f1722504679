"""The numba backend against the plain form: output, gradients, ranges, odd inputs."""

import pytest
import torch

from bdq_plugin.encoders import build_encoder
from bdq_plugin.encoders.backends.numba.table import StaircaseTable

from .comparison import (
    FIXED,
    RANGES,
    assert_float32_equals_plain,
    assert_none_stays_none,
    clip,
    results,
)


class TestNumba:
    @pytest.mark.parametrize('padding', ['replicate', 'zeros'])
    @pytest.mark.parametrize('range_options', RANGES)
    @pytest.mark.parametrize('parts', ['bdq', 'dq', 'bq', 'q'])
    def test_equals_plain(self, range_options, padding, parts):
        options = dict(blur='b' in parts, difference='d' in parts, padding=padding)
        assert_float32_equals_plain(clip(2, 3, 5, 19, 23), 'numba', **options, **range_options)

    @pytest.mark.parametrize(
        'shape', [(1, 1, 2, 1, 1), (1, 1, 2, 1, 7), (3, 1, 2, 9, 2), (1, 2, 9, 33, 17)]
    )
    def test_odd_sizes_and_one_difference(self, shape):
        assert_float32_equals_plain(clip(*shape), 'numba', **FIXED)

    @pytest.mark.parametrize('kernel_size', [1, 3, 7])
    def test_kernel_sizes(self, kernel_size):
        assert_float32_equals_plain(
            clip(1, 2, 4, 11, 12), 'numba', kernel_size=kernel_size, range='clip'
        )

    def test_non_contiguous(self):
        x = clip(2, 4, 3, 20, 9).transpose(1, 2).transpose(3, 4)
        assert not x.is_contiguous()
        assert_float32_equals_plain(x, 'numba', range='clip')

    @pytest.mark.parametrize('levels', [2, 3, 256])
    def test_numbers_of_levels(self, levels):
        assert_float32_equals_plain(clip(1, 1, 4, 12, 13), 'numba', num_levels=levels, **FIXED)

    @pytest.mark.parametrize('hardness', [0.5, 20.0, 100.0])
    def test_hardness(self, hardness):
        # The steeper, the more a rounding of u weighs in the gradient.
        x = clip(1, 1, 4, 12, 13)
        plain, found = (results(x, b, hardness=hardness, **FIXED) for b in ('plain', 'numba'))
        for a, b in zip(found, plain, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=2e-5 * hardness * b.abs().max().item())

    def test_thresholds_out_of_order_and_out_of_range(self):
        thresholds = torch.linspace(18, -6, 15)
        assert_float32_equals_plain(clip(1, 2, 4, 12, 13), 'numba', thresholds=thresholds, **FIXED)

    def test_extreme_inputs_saturate(self):
        x = torch.tensor([-1e30, -1e4, 0.0, 1e4, 1e30, torch.inf, -torch.inf]).view(1, 1, 1, 1, 7)
        options = dict(blur=False, difference=False, range='fixed', range_limit=1.0)
        expected, found = (results(x, b, **options) for b in ('plain', 'numba'))
        torch.testing.assert_close(found[0], expected[0])
        assert found[0].flatten()[[0, 6]].tolist() == pytest.approx([0, 0], abs=1e-6)

    @pytest.mark.parametrize('mode', ['soft', 'hard'])
    @pytest.mark.parametrize('range_options', RANGES)
    def test_what_is_no_number_stays_none(self, mode, range_options):
        for where in ('pixel', 'sigma', 'threshold'):
            assert_none_stays_none('numba', where, mode=mode, **range_options)

    @pytest.mark.parametrize('range_options', [dict(range='clip'), dict(range='batch')])
    def test_ties_share_the_gradient_of_the_range(self, range_options):
        x = (clip(2, 1, 4, 8, 8) > 0.5).float()
        assert_float32_equals_plain(x, 'numba', kernel_size=3, padding='zeros', **range_options)

    def test_constant_clip(self):
        x = torch.full((1, 3, 4, 8, 8), 0.3)
        plain, found = (results(x, b, range='clip') for b in ('plain', 'numba'))
        torch.testing.assert_close(found[0], plain[0])
        assert all(torch.isfinite(g).all() for g in found[1:])

    @pytest.mark.parametrize('name', ['bdq_hard', 'sign_16', 'sign_2'])
    @pytest.mark.parametrize('range_', ['fixed', 'clip'])
    def test_hard_output_is_bit_for_bit_the_plain_one(self, name, range_):
        x = (clip(2, 3, 5, 19, 23) * 255).round() / 255
        x[:, :, 2] = x[:, :, 1]
        plain, found = (build_encoder(name, range=range_, backend=b)(x) for b in ('plain', 'numba'))
        assert torch.equal(found, plain)

    def test_hard_gradients_are_those_of_plain(self):
        for range_options in (FIXED, dict(range='clip')):
            x = clip(2, 2, 4, 15, 14)
            plain, found = (results(x, b, mode='hard', **range_options) for b in ('plain', 'numba'))
            for a, b in zip(found, plain, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())

    def test_the_same_in_two_threads(self):
        x, before = clip(2, 3, 4, 16, 16), torch.get_num_threads()
        try:
            found = []
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append(results(x, 'numba', range='clip'))
        finally:
            torch.set_num_threads(before)
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))

    def test_keeps_nothing_but_the_input(self):
        x = clip(1, 3, 8, 32, 32)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            build_encoder('bdq', backend='numba')(x)
        large = {t.data_ptr() for t in kept if t.numel() > 1000}
        assert large == {x.data_ptr()}

    def test_second_derivative_is_refused(self):
        encoder = build_encoder('bdq', backend='numba')
        loss = encoder(clip(1, 1, 3, 8, 8)).square().sum()
        (g,) = torch.autograd.grad(loss, encoder.blur.log_sigma, create_graph=True)
        with pytest.raises(RuntimeError, match='once_differentiable'):
            g.backward()

    def test_frozen_parts_get_no_gradient(self):
        encoder = build_encoder('bdq', backend='numba', learn_sigma=False, learn_thresholds=False)
        assert not encoder(clip(1, 1, 3, 8, 8)).requires_grad

    def test_rejects_what_only_plain_can_do(self):
        encoder = build_encoder('bdq', backend='numba')
        with pytest.raises(ValueError, match='float64'):
            encoder(clip(1, 1, 3, 8, 8).double())
        with pytest.raises(ValueError, match='requires_grad=True'):
            encoder(clip(1, 1, 3, 8, 8).requires_grad_())


def test_a_table_too_large_is_refused():
    with pytest.raises(ValueError, match="use backend='plain'"):
        StaircaseTable(torch.arange(15) + 0.5, hardness=1e5)
