"""Which backend computes an encoder."""

import json

import pytest

from bdq_plugin.encoders import backends, build_encoder, save_encoder
from bdq_plugin.encoders.backends import choose_backend

from .comparison import clip


class TestChoice:
    def test_auto(self):
        x = clip(1, 1, 3, 8, 8)
        assert choose_backend('auto', x) == 'numba'
        assert choose_backend('auto', x.double()) == 'plain'
        assert choose_backend('auto', x, ['dither']) == 'plain'
        assert choose_backend('auto', x.requires_grad_()) == 'plain'
        assert choose_backend('plain', x) == 'plain'

    def test_auto_without_numba_is_plain(self, monkeypatch):
        monkeypatch.setattr(backends, '_installed', lambda package: False)
        assert choose_backend('auto', clip(1, 1, 3, 8, 8)) == 'plain'

    def test_auto_gives_a_gradient_to_the_input(self):
        x = clip(1, 1, 3, 8, 8).requires_grad_()
        build_encoder('bdq')(x).square().sum().backward()
        assert x.grad.abs().max() > 0

    @pytest.mark.parametrize(
        ('options', 'match'),
        [(dict(backend='fast'), "'fast'.*numba"), (dict(backend='numba', dither=0.1), 'no dither')],
    )
    def test_bad_arguments(self, options, match):
        with pytest.raises(ValueError, match=match):
            build_encoder('bdq', **options)

    def test_files_do_not_keep_the_backend(self, tmp_path):
        path = save_encoder(build_encoder('bdq', backend='plain'), tmp_path / 'e.json')
        assert 'backend' not in json.loads(path.read_text())['config']

    def test_range_seen_is_remembered(self):
        x = clip(2, 1, 3, 8, 8)
        plain, compiled = (build_encoder('bdq', backend=b) for b in ('plain', 'numba'))
        plain(x), compiled(x)
        assert compiled.quantize.seen_range == pytest.approx(plain.quantize.seen_range)
