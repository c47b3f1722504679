"""The encoder as a whole: parity with the released code, batch independence, codes, thresholds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from bdq_plugin import geometry as geometry_in_numpy
from bdq_plugin.encoders import PRESETS, BDQEncoder, build_encoder
from bdq_plugin.encoders.functional import block_mean, resample
from bdq_plugin.encoders.geometry import draw_secrets, move_pixels, places_of_clips
from bdq_plugin.encoders.integer import integer_block_mean
from bdq_plugin.geometry import Geometry

# Frames and blocks of a clip of two frames of two blocks.
PLACES = [(0, 0), (0, 1), (1, 0), (1, 1)]
# Of a geometric dither.
STRENGTHS = dict(stretch=0.25, shift=0.125, mirror=True, warp=0.04)


def clip(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def released(x, bias, sigma=3.0):
    """The released algorithm, written plainly: 2D kernel, roll, batch range, 15 sigmoids."""
    grid = torch.arange(5, dtype=x.dtype) - 2
    kernel = torch.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, 5, 5).repeat(x.shape[1], 1, 1, 1, 1)
    x = torch.nn.functional.conv3d(x, kernel, padding=(0, 2, 2), groups=x.shape[1])
    x = (x - torch.roll(x, 1, dims=2))[:, :, 1:]
    low, high = x.min(), x.max()
    step = torch.clamp((high - low) / 15, min=1e-4)
    u = (x - low) / ((high - low) + 1e-4) * 15
    y = torch.zeros_like(u)
    for i in range(15):
        y = y + torch.sigmoid(5 * (u - bias[i]))
    return y * step + low


class TestReleasedPreset:
    @pytest.mark.parametrize('scale', [1.0, 5.0, 0.01])
    @pytest.mark.parametrize('shape', [(2, 3, 6, 20, 24), (1, 3, 2, 7, 5)])
    def test_output_and_gradients(self, scale, shape):
        encoder = build_encoder('bdq_released')
        x = (scale * torch.randn(shape, generator=torch.Generator().manual_seed(1))).double()
        ours_x, plain_x = x.clone().requires_grad_(), x.clone().requires_grad_()
        bias = torch.arange(15, dtype=torch.float64).add(0.5).requires_grad_()
        encoder.double()
        ours, plain = encoder(ours_x), released(plain_x, bias)
        torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)
        weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2)).double()
        (ours * weight).sum().backward()
        (plain * weight).sum().backward()
        torch.testing.assert_close(ours_x.grad, plain_x.grad, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            encoder.quantize.thresholds.grad, bias.grad, atol=1e-4, rtol=1e-4
        )

    def test_float32(self):
        x = torch.randn((2, 3, 5, 16, 16), generator=torch.Generator().manual_seed(3))
        bias = torch.arange(15).add(0.5)
        torch.testing.assert_close(
            build_encoder('bdq_released')(x), released(x, bias), atol=1e-4, rtol=1e-4
        )

    def test_constant_batch(self):
        x = torch.full((1, 3, 4, 8, 8), 0.3)
        bias = torch.arange(15).add(0.5)
        torch.testing.assert_close(build_encoder('bdq_released')(x), released(x, bias))

    def test_sigma_is_frozen_and_fifteen_numbers_learn(self):
        trainable = [
            n for n, p in build_encoder('bdq_released').named_parameters() if p.requires_grad
        ]
        assert trainable == ['quantize.thresholds']


class TestPresets:
    @pytest.mark.parametrize('name', sorted(PRESETS))
    def test_shape_range_and_name(self, name):
        encoder = build_encoder(name)
        x = clip(2, 3, 6, 32, 24)
        y = encoder(x)
        block = getattr(encoder, 'block', 1)
        assert y.shape == (2, 3, 6 - encoder.drops_frames, 32 // block, 24 // block)
        assert torch.isfinite(y).all()
        assert encoder.drops_frames == int(encoder.signed)

    def test_paper_has_sixteen_numbers(self):
        assert sum(p.numel() for p in build_encoder('bdq').parameters()) == 16

    @pytest.mark.parametrize('name', ['b', 'd', 'q', 'bd', 'bq', 'dq', 'bdq'])
    def test_switches(self, name):
        encoder = build_encoder(name)
        parts = (encoder.blurs, encoder.signed, encoder.quantizes)
        assert parts == tuple(letter in name for letter in 'bdq')

    def test_d_alone_is_the_difference(self):
        x = clip(1, 3, 4, 8, 8)
        torch.testing.assert_close(build_encoder('d')(x), x[:, :, 1:] - x[:, :, :-1])

    def test_pass_through_changes_nothing(self):
        x = clip(1, 3, 4, 8, 8)
        assert torch.equal(build_encoder('pass_through')(x), x)

    def test_ryoo_keeps_as_many_pixels_of_any_frame(self):
        encoder = build_encoder('ryoo_16')
        assert encoder.small_size(224, 224) == (14, 14)
        assert encoder.small_size(64, 48) == (19, 14)

    def test_pixelate_has_blocks_of_one_value(self):
        y = build_encoder('pixelate_16')(clip(1, 1, 1, 224, 224))
        assert torch.equal(
            y[..., ::16, ::16].repeat_interleave(16, -1).repeat_interleave(16, -2), y
        )

    def test_strong_blur_is_stronger(self):
        x = clip(1, 1, 1, 112, 112)
        weak, strong = (build_encoder(n)(x).var() for n in ('blur_weak', 'blur_strong'))
        assert strong < weak / 4

    def test_unknown_name_lists_the_known(self):
        with pytest.raises(ValueError, match='bqd.*bdq_hard.*pass_through'):
            build_encoder('bqd')

    def test_unknown_argument(self):
        with pytest.raises(ValueError, match="'bdq'.*sigmaa"):
            build_encoder('bdq', sigmaa=1)

    @pytest.mark.parametrize(
        ('arguments', 'match'),
        [
            (dict(sigma=0), 'sigma must be above 0'),
            (dict(kernel_size=4), 'odd'),
            (dict(padding='reflect'), 'padding'),
            (dict(num_levels=1), 'between 2 and 256'),
            (dict(mode='firm'), 'mode'),
            (dict(range='global'), 'range'),
            (dict(range_limit=0), 'range_limit'),
            (dict(hardness=0), 'hardness'),
            (dict(dither=-1), 'dither'),
            (dict(block=0), 'block is a whole number'),
            (dict(block=2.0), 'block is a whole number'),
            (dict(block=129), '1 to 128'),
            (dict(block=8, backend='numba'), "backend 'numba' has no block"),
        ],
    )
    def test_bad_arguments(self, arguments, match):
        with pytest.raises(ValueError, match=match):
            build_encoder('bdq', **arguments)


class TestInput:
    @pytest.mark.parametrize('shape', [(3, 8, 8), (1, 3, 8, 8), (1, 1, 1, 3, 8, 8)])
    def test_wrong_dimensions(self, shape):
        with pytest.raises(ValueError, match=r'\(N, C, T, H, W\)'):
            build_encoder('bdq')(torch.rand(shape))

    def test_one_frame(self):
        with pytest.raises(ValueError, match='at least 2 frames'):
            build_encoder('bdq')(torch.rand(1, 3, 1, 8, 8))

    @pytest.mark.parametrize('name', ['bdq', 'bdq_hard', 'd', 'b', 'pass_through', 'ryoo_16'])
    def test_uint8_pixels_are_scaled(self, name):
        pixels = (clip(1, 3, 4, 16, 16) * 255).round().to(torch.uint8)
        encoder = build_encoder(name)
        assert torch.equal(encoder(pixels), encoder(pixels.float() / 255))

    @pytest.mark.parametrize('method', ['forward', 'codes'])
    @pytest.mark.parametrize(
        ('name', 'dtype', 'match'),
        [
            ('bdq_released', torch.uint8, 'expects_normalized.*uint8 pixels: normalise them'),
            ('bdq_hard', torch.int64, 'uint8 pixels, got torch.int64'),
            ('bdq_hard', torch.bool, 'uint8 pixels, got torch.bool'),
        ],
    )
    def test_other_integers_are_refused(self, method, name, dtype, match):
        with pytest.raises(ValueError, match=match):
            getattr(build_encoder(name), method)(torch.ones(1, 3, 4, 8, 8, dtype=dtype))

    @pytest.mark.parametrize('shape', [(3, 8, 8), (1, 3, 1, 8, 8)])
    def test_codes_are_of_clips_too(self, shape):
        with pytest.raises(ValueError, match=r'\(N, C, T, H, W\)|at least 2 frames'):
            build_encoder('bdq_hard').codes(torch.rand(shape))

    @pytest.mark.parametrize('name', ['bdq', 'bdq_hard', 'bdq_released', 'sign_2'])
    def test_what_is_no_number_has_no_code(self, name):
        x = clip(1, 3, 4, 8, 8)
        x[0, 0, 1, 2, 3] = torch.nan
        encoder = build_encoder(name)
        with pytest.raises(ValueError, match='no number'):
            encoder.codes(x)
        if encoder.streamable:
            with torch.no_grad(), pytest.raises(ValueError, match='1 values that are no number'):
                encoder.eval()(x)

    def test_fp32_inside_autocast(self):
        encoder, x = build_encoder('bdq'), clip(1, 3, 4, 16, 16)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            y = encoder(x.bfloat16().float())
        assert y.dtype == torch.float32
        torch.testing.assert_close(y, encoder(x.bfloat16().float()))

    def test_gradcheck_of_the_whole(self):
        encoder = BDQEncoder(num_levels=4, hardness=2.0, range='fixed').double()
        x = clip(1, 1, 3, 3, 3).double().requires_grad_()
        assert gradcheck(encoder, (x,))

    def test_gradient_reaches_all_sixteen_numbers(self):
        for name in ('bdq', 'bdq_hard', 'bdq_annealed'):
            encoder = build_encoder(name)
            # A weighted sum: the plain one is nearly blind to a symmetric quantiser.
            y = encoder(clip(2, 3, 6, 16, 16))
            (y * clip(*y.shape, seed=1)).sum().backward()
            assert encoder.blur.log_sigma.grad.abs() > 0
            assert (encoder.quantize.thresholds.grad.abs() > 0).sum() > 10


class TestBatchIndependence:
    @pytest.mark.parametrize('name', ['bdq', 'bdq_hard', 'sign_2', 'd'])
    def test_a_clip_does_not_depend_on_its_batch_mates(self, name):
        encoder = build_encoder(name)
        x = clip(3, 3, 5, 12, 12)
        x[1] *= 0.1
        alone = torch.cat([encoder(x[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(encoder(x), alone)

    def test_the_released_range_does_depend(self):
        encoder = build_encoder('bdq_released')
        x = clip(2, 3, 5, 12, 12)
        x[1] *= 0.1
        assert (encoder(x)[1:] - encoder(x[1:])).abs().max() > 1e-3


class TestCodes:
    @pytest.mark.parametrize('levels', [2, 3, 16, 256])
    def test_range_and_dtype(self, levels):
        codes = build_encoder('bdq_hard', num_levels=levels).codes(clip(1, 3, 4, 16, 16))
        assert codes.dtype == torch.uint8
        assert codes.max() <= levels - 1
        assert len(codes.unique()) > 1

    def test_uint8_and_float_input_agree(self):
        encoder = build_encoder('bdq_hard')
        frames = (clip(1, 3, 4, 16, 16) * 255).round().to(torch.uint8)
        assert torch.equal(encoder.codes(frames), encoder.codes(frames.float() / 255))

    def test_no_motion_is_always_the_same_level(self):
        encoder = build_encoder('bdq_hard')
        still = clip(1, 3, 1, 16, 16).expand(1, 3, 4, 16, 16)
        assert encoder.codes(still).unique().tolist() == [7]

    @settings(deadline=None, max_examples=200)
    @given(
        limit=st.floats(1e-3, 3),
        levels=st.integers(2, 256),
        learned=st.floats(-0.6, 0.6),
        off_centre=st.sampled_from([0.0, 0.0, 0.0, 0.3]),
    )
    def test_no_motion_is_the_same_level_in_training_and_in_a_camera(
        self, limit, levels, learned, off_centre
    ):
        """In each range, of each number of levels, wherever the thresholds have been learned to."""
        still = torch.full((1, 1, 2, 3, 4), 0.6)
        found = []
        for backend in ('plain', 'numba'):
            encoder = build_encoder(
                'bdq_hard', range_limit=limit, num_levels=levels, backend=backend
            )
            with torch.no_grad():
                encoder.quantize.thresholds += learned
                encoder.quantize.low -= off_centre * limit
            low, high = encoder.quantize.low, encoder.quantize.high
            trained = (encoder(still) - low) / ((high - low) / (levels - 1))
            found += trained.round().unique().tolist()
            found += encoder.quantize.levels(encoder.motion(still)).unique().tolist()
            found += encoder.codes(still).unique().tolist()
        assert len(found) == 6 and len(set(found)) == 1

    @pytest.mark.parametrize('levels', [2, 16, 256])
    def test_no_motion_is_the_same_level_in_every_range(self, levels):
        still = torch.zeros(1, 1, 2, 3, 4)
        limits = torch.rand(100, generator=torch.Generator().manual_seed(0)).tolist()
        encoders = [build_encoder('bdq_hard', range_limit=r, num_levels=levels) for r in limits]
        assert {int(encoder.codes(still).max()) for encoder in encoders} == {levels // 2 - 1}

    @pytest.mark.parametrize('name', ['bdq_hard', 'sign_16', 'sign_2'])
    def test_evaluation_shows_networks_what_the_camera_sends(self, name):
        encoder = build_encoder(name).eval()
        x = (clip(1, 1, 6, 24, 20) * 255).round() / 255
        with torch.no_grad():
            seen = encoder(x)
        form = encoder.integer_form()
        torch.testing.assert_close(seen, form.low + encoder.codes(x).float() * form.step)

    def test_training_and_use_agree_but_at_the_thresholds(self):
        # Smooth motion, as video has it; the rounding of the kernel to 1/256 moves few levels.
        t = torch.linspace(0, 1, 6).view(1, 1, 6, 1, 1)
        x = 0.5 + 0.5 * torch.sin(torch.arange(40.0) / 3 + 6 * t).expand(1, 1, 6, 30, 40)
        x = (x * 255).round() / 255
        encoder = build_encoder('bdq_hard')
        trained = encoder.train()(x)
        with torch.no_grad():
            used = encoder.eval()(x)
        assert (trained - used).abs().gt(1e-4).float().mean() < 0.02

    def test_soft_encoder_has_codes_too(self):
        codes = build_encoder('bdq').codes(clip(1, 3, 4, 16, 16))
        assert codes.dtype == torch.uint8
        assert codes.max() <= 15

    @pytest.mark.parametrize('name', ['d', 'b', 'pass_through', 'ryoo_16'])
    def test_without_quantisation(self, name):
        with pytest.raises(ValueError, match='does not quantise'):
            build_encoder(name).codes(clip(1, 3, 4, 16, 16))

    def test_integer_form_needs_a_fixed_range(self):
        with pytest.raises(ValueError, match="range='fixed'"):
            build_encoder('bdq').integer_form()

    def test_dither_changes_codes_and_keeps_their_range(self):
        plain, noisy = build_encoder('sign_16'), build_encoder('sign_16', dither=0.1)
        x = clip(1, 1, 4, 16, 16)
        assert not torch.equal(plain.codes(x), noisy.codes(x))
        assert noisy.codes(x).max() <= 15


class TestBlocks:
    def test_frames_of_48_by_64_become_6_by_8(self):
        encoder, x = build_encoder('bdq_hard', block=8), clip(2, 3, 5, 48, 64)
        assert encoder(x).shape == encoder.codes(x).shape == (2, 3, 4, 6, 8)

    def test_it_is_the_mean_of_the_difference(self):
        x = clip(1, 3, 4, 16, 24)
        fine, coarse = build_encoder('bd'), build_encoder('bd', block=8)
        torch.testing.assert_close(coarse(x), block_mean(fine(x), 8))

    @pytest.mark.parametrize('method', ['forward', 'codes'])
    def test_frames_that_are_no_whole_blocks_are_refused(self, method):
        with pytest.raises(ValueError, match='12 x 16.*multiples of 8, or choose another block'):
            getattr(build_encoder('bdq_hard', block=8), method)(clip(1, 3, 3, 12, 16))

    @pytest.mark.parametrize('block', [3, 8, 128])
    def test_the_whole_number_mean_is_exact(self, block):
        generator = torch.Generator().manual_seed(0)
        x = torch.randint(255 * 65536, (1, 1, 2, block, 2 * block), generator=generator)
        x[..., :block] = 255 * 65536  # the greatest sum there is
        sums = [int(x[0, 0, t, :, i * block : (i + 1) * block].sum()) for t, i in PLACES]
        means = integer_block_mean(x.float(), block)
        assert [means[0, 0, t, 0, i].item() for t, i in PLACES] == [s // block**2 for s in sums]

    def test_a_clip_that_runs_backwards_has_the_opposite_levels(self):
        x = clip(1, 3, 5, 16, 16)
        encoder = build_encoder('bdq_hard', num_levels=16, block=4, range_limit=0.05)
        with torch.no_grad():  # away from 0, where a level changes
            encoder.quantize.thresholds += 0.01
        there, back = encoder.codes(x).int(), encoder.codes(x.flip(2)).flip(2).int()
        assert there.unique().numel() > 4
        assert ((there + back) - 15).abs().max() <= 1

    def test_training_and_use_agree_but_at_the_thresholds(self):
        encoder = build_encoder('bdq_hard', block=4, range_limit=0.1)
        x = (clip(1, 1, 8, 64, 64) * 255).round() / 255
        trained = encoder.train()(x)
        with torch.no_grad():
            used = encoder.eval()(x)
        assert trained.unique().numel() > 4
        assert (trained - used).abs().gt(1e-4).float().mean() < 0.02

    def test_gradient_reaches_sigma_and_thresholds(self):
        encoder = build_encoder('bdq_hard', block=4, range_limit=0.1)
        y = encoder(clip(2, 3, 6, 16, 16))
        (y * clip(*y.shape, seed=1)).sum().backward()
        assert encoder.blur.log_sigma.grad.abs() > 0
        assert (encoder.quantize.thresholds.grad.abs() > 0).sum() > 10


class TestDeadZone:
    def encoder(self, levels, **options):
        options = dict(dict(dead_zone=0.03, mode='hard', range='fixed'), **options)
        return BDQEncoder(num_levels=levels, **options)

    def values(self, levels, **options):
        """Values on and about the thresholds, and the levels that they get."""
        quantizer = self.encoder(levels, **options).quantize
        x = torch.tensor([[-0.2, -0.1, -0.07, -0.029, 0.0, 0.029, 0.07, 0.1, 0.2]])
        return quantizer(x)[0].detach(), quantizer.levels(x)[0].tolist()

    def test_three_levels(self):
        y, levels = self.values(3)
        assert levels == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        torch.testing.assert_close(y, 0.06 * (torch.tensor(levels) - 1.0))

    def test_five_levels_with_a_step_of_their_own(self):
        y, levels = self.values(5, step=0.05)
        assert levels == [0, 0, 1, 2, 2, 2, 3, 4, 4]
        torch.testing.assert_close(y, 0.05 * (torch.tensor(levels) - 2.0))

    def test_two_levels_are_events_of_either_sign(self):
        y, levels = self.values(2)
        assert levels == [1, 1, 1, 0, 0, 0, 1, 1, 1]
        torch.testing.assert_close(y, 0.06 * torch.tensor(levels).float())

    @pytest.mark.parametrize('levels', [2, 3, 5, 9])
    def test_codes_of_a_clip_that_runs_backwards_are_the_opposite(self, levels):
        # Pixels without a blur: differences lie on thresholds, as they do in real video.
        encoder = self.encoder(levels, dead_zone=5 / 255, step=7 / 255, blur=False)
        x = torch.randint(20, (1, 3, 6, 9, 8), generator=torch.Generator().manual_seed(0))
        there = encoder.codes(x.to(torch.uint8)).int()
        back = encoder.codes(x.flip(2).to(torch.uint8)).flip(2).int()
        assert there.unique().numel() == min(levels, 5)
        assert torch.equal(back, there if levels == 2 else levels - 1 - there)

    def test_no_motion_is_zero_in_every_form(self):
        still = torch.full((1, 1, 2, 8, 8), 0.6)
        for levels in (2, 3, 7):
            for mode in ('soft', 'hard'):
                encoder = self.encoder(levels, mode=mode)
                assert (encoder(still).abs().max() < 1e-6) or (levels, mode) == (2, 'soft')
            assert encoder.codes(still).unique().tolist() == [0 if levels == 2 else levels // 2]

    @pytest.mark.parametrize('levels', [2, 3, 5])
    def test_gradient_of_the_hard_form_is_that_of_the_soft_one(self, levels):
        x = 0.3 * clip(2, 3, 6, 16, 16)
        gradients = []
        for mode in ('soft', 'hard'):
            encoder = self.encoder(levels, mode=mode)
            y = encoder(x)
            (y * clip(*y.shape, seed=1)).sum().backward()
            quantizer = encoder.quantize
            gradients.append([encoder.blur.log_sigma.grad, quantizer.dead_zone.grad])
            assert all(p.grad.abs() > 0 for p in encoder.parameters())
        torch.testing.assert_close(*gradients)

    def test_gradcheck(self):
        for levels in (2, 5):
            encoder = self.encoder(levels, mode='soft', hardness=1.0, dead_zone=0.2).double()
            x = clip(1, 1, 3, 3, 3).double().requires_grad_()
            assert gradcheck(encoder, (x,))

    def test_few_numbers_which_stay_sound(self):
        encoder = self.encoder(5)
        assert sum(p.numel() for p in encoder.parameters()) == 3
        with torch.no_grad():
            encoder.quantize.dead_zone.fill_(-1)
            encoder.quantize.step.fill_(-2)
        encoder.project_()
        assert 0 < encoder.quantize.dead_zone <= encoder.quantize.step
        assert len(encoder.integer_form().thresholds) == 4

    def test_evaluation_shows_networks_what_the_camera_sends(self):
        x = (clip(1, 1, 6, 24, 16) * 255).round() / 255
        for levels in (2, 3):
            encoder = self.encoder(levels, block=4).eval()
            with torch.no_grad():
                seen = encoder(x)
            form = encoder.integer_form()
            torch.testing.assert_close(seen, form.low + encoder.codes(x).float() * form.step)

    @pytest.mark.parametrize('mode', ['soft', 'hard'])
    def test_noise_comes_before_the_thresholds(self, mode):
        torch.manual_seed(0)
        still = torch.full((1, 1, 2, 200, 200), 0.5)
        for levels, share in ((3, 0.3173), (2, 0.3173)):
            encoder = self.encoder(levels, dither=0.03, mode=mode, hardness=1000.0)
            trained = (encoder(still).abs() > 0.03).float().mean()
            used = (encoder.codes(still) != (levels > 2)).float().mean()
            # The share of a normal beyond one standard deviation.
            assert abs(trained - share) < 0.01 and abs(used - share) < 0.01

    @pytest.mark.parametrize(
        ('options', 'match'),
        [
            (dict(num_levels=4), r'2 \(events\) or odd.*got 4'),
            (dict(num_levels=257), 'from 3 to 255'),
            (dict(dead_zone=0), '0 < dead_zone'),
            (dict(step=0.01), 'dead_zone=0.03 and step=0.01'),
            (dict(dead_zone=None, step=0.1), 'name both'),
            (dict(difference=False), 'difference=True'),
            (dict(range='clip'), "range='fixed'"),
            (dict(range_limit=0.25), 'no range_limit'),
            (dict(backend='numba'), 'no dead_zone'),
        ],
    )
    def test_bad_arguments(self, options, match):
        with pytest.raises(ValueError, match=match):
            self.encoder(**dict(dict(levels=options.pop('num_levels', 3)), **options))

    def test_its_range_is_not_to_be_set(self):
        with pytest.raises(ValueError, match='remove CalibrateRangeHook'):
            self.encoder(3).set_range_(0.5)

    def test_numbers_of_the_other_quantiser_are_refused(self):
        state = build_encoder('bdq_hard', num_levels=3).state_dict()
        with pytest.raises(ValueError, match=r'dead_zone None there, 0\.03 here'):
            self.encoder(3).load_state_dict(state)


class TestGeometricDither:
    def test_a_clip_is_moved_as_a_whole_and_each_in_its_own_way(self):
        torch.manual_seed(0)
        still = clip(1, 3, 1, 24, 32).expand(3, 3, 4, 24, 32)
        encoder = BDQEncoder(
            blur=False, difference=False, quantization=False, geometric_dither=STRENGTHS
        )
        y = encoder(still)
        assert torch.equal(y, y[:, :, :1].expand_as(y)), 'what stands still stays so'
        assert not any(torch.equal(y[i], y[j]) for i in range(3) for j in range(i))
        assert still.min() <= y.min() and y.max() <= still.max()

    def test_training_equals_the_whole_number_form_but_for_rounding(self):
        x = torch.randint(256, (1, 3, 3, 24, 32), generator=torch.Generator().manual_seed(0))
        geometry = Geometry(**STRENGTHS, rotation=20, redraw=2, change=1)
        torch.manual_seed(3)
        secrets = draw_secrets(1)
        places = places_of_clips(geometry, secrets, [0], 3, 24, 32)
        moved = move_pixels(x.to(torch.uint8), geometry, secrets)
        exact = resample(x.double(), places)
        assert (moved - exact).abs().max() <= 0.5
        plain = [
            geometry_in_numpy.resample(pixels.permute(1, 2, 0).byte().numpy(), places_HW.numpy())
            for pixels, places_HW in zip(x[0].transpose(0, 1), places[0], strict=True)
        ]
        assert np.array_equal(moved[0].permute(1, 2, 3, 0).numpy(), np.stack(plain))

    def test_gradcheck(self):
        encoder = BDQEncoder(quantization=False, geometric_dither=dict(scale=0.2, warp=0.1))
        x = clip(1, 1, 2, 4, 5).double().requires_grad_()

        def encode(x):
            torch.manual_seed(0)
            return encoder.double()(x)

        assert gradcheck(encode, (x,))

    def test_it_follows_torchs_generator(self):
        encoder = build_encoder('bdq_hard', geometric_dither=dict(STRENGTHS, redraw=9))
        x, found = clip(2, 3, 4, 16, 24), []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            found.append((encoder(x), encoder.codes(x)))
        assert all(torch.equal(a, b) for a, b in zip(*found[:2], strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(*found[1:], strict=True))

    def test_bad_parts(self):
        with pytest.raises(ValueError, match=r"no \['zoom'\]: its parts are.*stretch"):
            build_encoder('bdq_hard', geometric_dither=dict(zoom=1))


class TestWhatHides:
    """The presets of blocks, noise and geometry."""

    @pytest.mark.parametrize('name', [name for name in PRESETS if name.startswith('blocks')])
    def test_what_it_is_of(self, name):
        encoder = build_encoder(name)
        assert encoder.dither == (0.015 if 'noise' in name else 0)
        assert (encoder.geometry is not None) == ('geometry' in name)
        assert encoder.streamable and encoder.integer_form().num_levels == 3
        assert sum(p.numel() for p in encoder.parameters()) <= 100
        torch.manual_seed(0)
        x = clip(2, 3, 4, 48, 64)
        codes = encoder.codes(x)
        assert codes.shape == (2, 3, 3, 6, 8) and codes.max() <= 2
        same = torch.equal(codes, encoder.codes(x))
        assert same == (name == 'blocks'), 'what draws gives another code each time'

    def test_a_threshold_of_the_mean_difference(self):
        x = torch.full((1, 1, 2, 8, 8), 100, dtype=torch.uint8)
        for change, level in ((7, 1), (8, 2), (-7, 1), (-8, 0)):  # 0.03 is 7.65 of 255
            x[0, 0, 1] = 100 + change
            assert build_encoder('blocks').codes(x).item() == level


class TestThresholds:
    def test_projection_orders_and_clamps(self):
        encoder = build_encoder('bdq')
        with torch.no_grad():
            encoder.quantize.thresholds.copy_(torch.linspace(20, -5, 15))
        encoder.project_()
        values = encoder.quantize.thresholds.tolist()
        assert values == sorted(values)
        assert values[0] == 0
        assert values[-1] == 15

    def test_forward_has_no_side_effect(self):
        encoder = build_encoder('bdq')
        with torch.no_grad():
            encoder.quantize.thresholds.copy_(torch.linspace(20, -5, 15))
        before = encoder.quantize.thresholds.clone()
        encoder(clip(1, 3, 4, 8, 8))
        assert torch.equal(encoder.quantize.thresholds, before)

    def test_set_range(self):
        encoder = build_encoder('bdq_hard')
        encoder.set_range_(0.5)
        assert (encoder.quantize.low.item(), encoder.quantize.high.item()) == (-0.5, 0.5)
        with pytest.raises(ValueError, match='above 0'):
            encoder.set_range_(0)


class TestRandomizedResponse:
    @pytest.mark.parametrize('training', [True, False])
    @pytest.mark.parametrize('levels', [2, 3, 5])
    def test_codes_are_replaced_as_often_as_stated(self, levels, training):
        torch.manual_seed(0)
        encoder = build_encoder('blocks', num_levels=levels, block=1, flip=0.3).train(training)
        still = torch.full((1, 1, 2, 200, 200), 0.5)
        with torch.set_grad_enabled(training):
            seen = encoder(still)
        codes = encoder.codes(still)
        none = 0 if levels == 2 else levels // 2
        for kept, others in ((codes == none, codes), (seen.abs() < 1e-6, seen.detach())):
            assert abs(kept.float().mean() - 0.7) < 0.01
            shares = others[~kept].unique(return_counts=True)[1] / (~kept).sum()
            # All other levels are equally likely.
            assert len(shares) == levels - 1
            assert (shares - 1 / (levels - 1)).abs().max() < 0.02

    def test_evaluation_shows_networks_what_the_camera_sends(self):
        encoder, x = build_encoder('certified').eval(), clip(1, 1, 6, 24, 16)
        form = encoder.integer_form()
        with torch.no_grad():
            torch.manual_seed(3)
            seen = encoder(x)
        torch.manual_seed(3)
        torch.testing.assert_close(seen, form.low + encoder.codes(x).float() * form.step)
        assert not torch.equal(encoder.codes(x), encoder.codes(x)), 'each time anew'

    @pytest.mark.parametrize('levels', [2, 3])
    def test_the_gradient_is_that_of_the_expectation(self, levels):
        flip = 0.4
        plain, randomized = (
            build_encoder('blocks', num_levels=levels, block=1, flip=q) for q in (0.0, flip)
        )
        gradients = []
        for encoder in (plain, randomized):
            x = clip(1, 1, 3, 8, 8).requires_grad_()
            encoder(x).sum().backward()
            gradients.append(x.grad)
        shrunk = 1 - flip * levels / (levels - 1)
        torch.testing.assert_close(gradients[1], shrunk * gradients[0])
        assert gradients[0].abs().max() > 0

    @pytest.mark.parametrize(
        ('options', 'match'),
        [
            (dict(flip=-0.1), 'from 0 to 0.666667, where 3 levels'),
            (dict(flip=0.7), 'tell nothing any more, got 0.7'),
            (dict(flip=0.6, num_levels=2), 'from 0 to 0.5'),
            (dict(flip=0.1, mode='soft'), "mode='hard'"),
            (dict(flip=0.1, dead_zone=None, range='clip'), "range='fixed'"),
            (dict(flip=0.1, dead_zone=None, expects_normalized=True), 'expects_normalized'),
            (dict(flip=0.1, dead_zone=None, quantization=False), 'quantization=True'),
        ],
    )
    def test_bad_arguments(self, options, match):
        with pytest.raises(ValueError, match=match):
            build_encoder('blocks', **options)


def test_parts_that_are_off_are_not_recorded():
    """Files and results of encoders without them describe the same encoder as before."""
    later = {'block', 'dead_zone', 'step', 'geometric_dither', 'flip'}
    assert not later & build_encoder('bdq_hard').config.keys()
    assert not later & BDQEncoder(block=1, dead_zone=None).config.keys()
    encoder = build_encoder('bdq_hard', block=8)
    assert encoder.config['block'] == 8
    assert BDQEncoder(**encoder.config).differences(encoder.description()) == {}
    found = build_encoder('bdq_hard').differences(encoder.description())
    assert found == {'block': (8, None)}
