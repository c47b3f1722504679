"""Every fast path against the plain form in float64: output, gradients, ranges, odd inputs."""

import json

import pytest
import torch

from bdq_plugin.encoders import backends, build_encoder, save_encoder
from bdq_plugin.encoders.backends import choose_backend
from bdq_plugin.encoders.form import Form
from bdq_plugin.encoders.staircase import StaircaseTable

FIXED = dict(range='fixed', range_limit=0.5)
FEW_LEVELS = dict(num_levels=3, kernel_size=3)


def clip(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def results(x, backend, dtype=torch.float32, thresholds=None, **options):
    """Output and the gradients of sigma and the thresholds."""
    encoder = build_encoder('bdq', backend=backend, **options).to(dtype)
    if thresholds is not None:
        with torch.no_grad():
            encoder.quantize.thresholds.copy_(thresholds)
    y = encoder(x.to(dtype))
    (y * clip(*y.shape, seed=1).sub(0.5).to(dtype)).sum().backward()
    gradients = [p.grad for p in encoder.parameters() if p.requires_grad]
    return [y.detach(), *gradients]


def assert_float32_equals_plain(x, backend, **options):
    expected = results(x, 'plain', torch.float64, **options)
    found = results(x, backend, **options)
    for a, b in zip(found, expected, strict=True):
        scale = b.abs().max().clamp(min=1e-3)
        torch.testing.assert_close(a.double() / scale, b / scale, rtol=0, atol=5e-5)
    torch.testing.assert_close(found[0].double(), expected[0], rtol=0, atol=3e-6)


class TestLean:
    @pytest.mark.parametrize('padding', ['replicate', 'zeros'])
    @pytest.mark.parametrize('range_options', [FIXED, dict(range='clip'), dict(range='batch')])
    @pytest.mark.parametrize('parts', ['bdq', 'dq', 'bq', 'q'])
    def test_equals_plain(self, range_options, padding, parts):
        options = dict(blur='b' in parts, difference='d' in parts, padding=padding)
        assert_float32_equals_plain(clip(2, 3, 5, 19, 23), 'lean', **options, **range_options)

    @pytest.mark.parametrize(
        'shape', [(1, 1, 2, 1, 1), (1, 1, 2, 1, 7), (3, 1, 2, 9, 2), (1, 2, 9, 33, 17)]
    )
    def test_odd_sizes_and_one_difference(self, shape):
        assert_float32_equals_plain(clip(*shape), 'lean', **FIXED)

    @pytest.mark.parametrize('kernel_size', [1, 3, 7])
    def test_kernel_sizes(self, kernel_size):
        assert_float32_equals_plain(
            clip(1, 2, 4, 11, 12), 'lean', kernel_size=kernel_size, range='clip'
        )

    def test_non_contiguous(self):
        x = clip(2, 4, 3, 20, 9).transpose(1, 2).transpose(3, 4)
        assert not x.is_contiguous()
        assert_float32_equals_plain(x, 'lean', range='clip')

    @pytest.mark.parametrize('levels', [2, 3, 256])
    def test_numbers_of_levels(self, levels):
        assert_float32_equals_plain(clip(1, 1, 4, 12, 13), 'lean', num_levels=levels, **FIXED)

    @pytest.mark.parametrize('hardness', [0.5, 20.0, 100.0])
    def test_hardness(self, hardness):
        # The steeper, the more a rounding of u weighs in the gradient.
        x = clip(1, 1, 4, 12, 13)
        plain, lean = (results(x, b, hardness=hardness, **FIXED) for b in ('plain', 'lean'))
        for a, b in zip(lean, plain, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=2e-5 * hardness * b.abs().max().item())

    def test_thresholds_out_of_order_and_out_of_range(self):
        thresholds = torch.linspace(18, -6, 15)
        assert_float32_equals_plain(clip(1, 2, 4, 12, 13), 'lean', thresholds=thresholds, **FIXED)

    def test_extreme_inputs_saturate(self):
        x = torch.tensor([-1e30, -1e4, 0.0, 1e4, 1e30, torch.inf, -torch.inf]).view(1, 1, 1, 1, 7)
        options = dict(blur=False, difference=False, range='fixed', range_limit=1.0)
        expected, found = (results(x, b, **options) for b in ('plain', 'lean'))
        torch.testing.assert_close(found[0], expected[0])
        assert found[0].flatten()[[0, 6]].tolist() == pytest.approx([0, 0], abs=1e-6)

    def test_what_is_no_number_stays_none(self):
        x = clip(1, 1, 3, 6, 6)
        x[0, 0, 1, 2, 2] = torch.nan
        for backend in ('plain', 'lean'):
            y = build_encoder('bdq', backend=backend, **FIXED)(x)
            assert y.isnan().any()
            assert not y[..., 5, 5].isnan().any()

    @pytest.mark.parametrize('range_options', [dict(range='clip'), dict(range='batch')])
    def test_ties_share_the_gradient_of_the_range(self, range_options):
        x = (clip(2, 1, 4, 8, 8) > 0.5).float()
        assert_float32_equals_plain(x, 'lean', kernel_size=3, padding='zeros', **range_options)

    def test_constant_clip(self):
        x = torch.full((1, 3, 4, 8, 8), 0.3)
        plain, lean = (results(x, b, range='clip') for b in ('plain', 'lean'))
        torch.testing.assert_close(lean[0], plain[0])
        assert all(torch.isfinite(g).all() for g in lean[1:])

    @pytest.mark.parametrize('name', ['bdq_hard', 'sign_16', 'sign_2'])
    @pytest.mark.parametrize('range_', ['fixed', 'clip'])
    def test_hard_output_is_bit_for_bit_the_plain_one(self, name, range_):
        x = (clip(2, 3, 5, 19, 23) * 255).round() / 255
        x[:, :, 2] = x[:, :, 1]
        plain, lean = (build_encoder(name, range=range_, backend=b)(x) for b in ('plain', 'lean'))
        assert torch.equal(lean, plain)

    def test_hard_gradients_are_those_of_plain(self):
        for range_options in (FIXED, dict(range='clip')):
            x = clip(2, 2, 4, 15, 14)
            plain, lean = (results(x, b, mode='hard', **range_options) for b in ('plain', 'lean'))
            for a, b in zip(lean, plain, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())

    def test_the_same_in_two_threads(self):
        x, before = clip(2, 3, 4, 16, 16), torch.get_num_threads()
        try:
            found = []
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append(results(x, 'lean', range='clip'))
        finally:
            torch.set_num_threads(before)
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))

    def test_keeps_nothing_but_the_input(self):
        x = clip(1, 3, 8, 32, 32)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            build_encoder('bdq', backend='lean')(x)
        large = {t.data_ptr() for t in kept if t.numel() > 1000}
        assert large == {x.data_ptr()}

    def test_second_derivative_is_refused(self):
        encoder = build_encoder('bdq', backend='lean')
        loss = encoder(clip(1, 1, 3, 8, 8)).square().sum()
        (g,) = torch.autograd.grad(loss, encoder.blur.log_sigma, create_graph=True)
        with pytest.raises(RuntimeError, match='once_differentiable'):
            g.backward()

    def test_frozen_parts_get_no_gradient(self):
        encoder = build_encoder('bdq', backend='lean', learn_sigma=False, learn_thresholds=False)
        assert not encoder(clip(1, 1, 3, 8, 8)).requires_grad

    def test_rejects_what_only_plain_can_do(self):
        encoder = build_encoder('bdq', backend='lean')
        with pytest.raises(ValueError, match='float64'):
            encoder(clip(1, 1, 3, 8, 8).double())
        with pytest.raises(ValueError, match='requires_grad=True'):
            encoder(clip(1, 1, 3, 8, 8).requires_grad_())


@pytest.fixture
def cpp_compiler():
    if not backends.has_cpp_compiler():
        pytest.skip('torch.compile finds no C++ compiler')


@pytest.mark.usefixtures('cpp_compiler')
class TestCompile:
    """By torch's real compiler, about ten seconds a form (one where its files are kept): few of
    them, and with few thresholds, for the compiler's time grows with their number."""

    def test_range_of_the_clip_and_another_batch_not_contiguous(self):
        x = clip(2, 4, 1, 11, 9).transpose(1, 2).transpose(3, 4)
        assert not x.is_contiguous()
        for part in (x, clip(3, 1, 4, 9, 11)):
            assert_float32_equals_plain(part, 'compile', range='clip', **FEW_LEVELS)

    def test_range_of_the_batch_sigma_frozen(self):
        options = dict(range='batch', learn_sigma=False, padding='zeros')
        assert_float32_equals_plain(clip(2, 3, 2, 7, 5), 'compile', **options, **FEW_LEVELS)

    def test_one_frame_hard_and_the_gradient_of_the_input(self):
        x = clip(2, 1, 1, 9, 7).requires_grad_()
        found = []
        for backend in ('plain', 'compile'):
            options = dict(mode='hard', difference=False, backend=backend, **FEW_LEVELS)
            encoder = build_encoder('bdq', range='fixed', **options)
            y = encoder(x)
            numbers = (encoder.blur.log_sigma, encoder.quantize.thresholds)
            g = clip(*y.shape, seed=1) - 0.5
            found.append([y, *torch.autograd.grad(y, (x, *numbers), g)])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


class TestCompiledWithoutACompiler:
    def test_each_form_is_counted_for_itself(self, monkeypatch):
        monkeypatch.setattr(torch, 'compile', lambda function: function)
        compiled = backends._compiled.__wrapped__
        forms = [Form(True, range_, False, 0.0) for range_ in ('clip', 'batch')]
        codes = [backends.encode_plain.__code__, *(compiled(form).__code__ for form in forms)]
        assert len(set(map(id, codes))) == 3

    def test_a_missing_compiler_is_named(self, monkeypatch):
        monkeypatch.setattr(backends, 'has_cpp_compiler', lambda: False)
        with pytest.raises(ValueError, match=r"needs a C\+\+ compiler.*backend='auto'"):
            build_encoder('bdq', backend='compile')(clip(1, 1, 3, 8, 8))

    def test_the_check_never_raises(self, monkeypatch):
        cpp_builder = pytest.importorskip('torch._inductor.cpp_builder')
        monkeypatch.delattr(cpp_builder, 'get_cpp_compiler')
        assert not backends.has_cpp_compiler.__wrapped__()


class TestChoice:
    def test_auto(self):
        x = clip(1, 1, 3, 8, 8)
        assert choose_backend('auto', x) == 'lean'
        assert choose_backend('auto', x.double()) == 'plain'
        assert choose_backend('auto', x, dither=0.1) == 'plain'
        assert choose_backend('auto', x.requires_grad_()) == 'plain'
        assert choose_backend('plain', x) == 'plain'

    def test_auto_without_numba_never_compiles(self, monkeypatch):
        monkeypatch.setattr(backends, '_installed', lambda package: False)
        assert choose_backend('auto', clip(1, 1, 3, 8, 8)) == 'plain'

    def test_auto_gives_a_gradient_to_the_input(self):
        x = clip(1, 1, 3, 8, 8).requires_grad_()
        build_encoder('bdq')(x).square().sum().backward()
        assert x.grad.abs().max() > 0

    @pytest.mark.parametrize(
        ('options', 'match'),
        [(dict(backend='fast'), "'fast'.*lean"), (dict(backend='lean', dither=0.1), 'dither')],
    )
    def test_bad_arguments(self, options, match):
        with pytest.raises(ValueError, match=match):
            build_encoder('bdq', **options)

    def test_files_do_not_keep_the_backend(self, tmp_path):
        path = save_encoder(build_encoder('bdq', backend='plain'), tmp_path / 'e.json')
        assert 'backend' not in json.loads(path.read_text())['config']

    def test_range_seen_is_remembered(self):
        x = clip(2, 1, 3, 8, 8)
        plain, lean = (build_encoder('bdq', backend=b) for b in ('plain', 'lean'))
        plain(x), lean(x)
        assert lean.quantize.seen_range == pytest.approx(plain.quantize.seen_range)


def test_a_table_too_large_is_refused():
    with pytest.raises(ValueError, match="use backend='plain'"):
        StaircaseTable(torch.arange(15) + 0.5, hardness=1e5)
