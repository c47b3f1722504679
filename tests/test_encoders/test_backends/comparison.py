"""A backend against the plain form in float64: output and gradients."""

import torch

from bdq_plugin.encoders import build_encoder

FIXED = dict(range='fixed', range_limit=0.5)
RANGES = (FIXED, dict(range='clip'), dict(range='batch'))


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


def assert_none_stays_none(backend, where, **options):
    """A pixel or a number of the encoder that is none makes what depends on it none, as in plain.

    A pixel those values that it is blurred into, or all of the clip whose range it is part of.
    """
    x = clip(2, 1, 3, 7, 8)
    if where == 'pixel':
        x[0, 0, 1, 4, 3] = torch.nan
    found = []
    for name in ('plain', backend):
        encoder = build_encoder('bdq', num_levels=4, kernel_size=3, backend=name, **options)
        with torch.no_grad():
            if where == 'sigma':
                encoder.blur.log_sigma.fill_(torch.nan)
            elif where == 'threshold':
                encoder.quantize.thresholds[1] = torch.nan
        found.append(encoder(x).detach().isnan())
    plain, other = found
    assert torch.equal(other, plain)
    assert plain[0].any()
    everything = where != 'pixel' or encoder.quantize.range == 'batch'
    assert plain[1].any() == plain.all() == everything
    if where == 'pixel' and encoder.quantize.range == 'fixed':
        assert plain.sum() == 2 * 9
