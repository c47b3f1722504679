from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bdq_plugin.camera_form import integer_kernel
from bdq_plugin.deploy import CameraForm, load_form
from bdq_plugin.encoders import (
    BDQEncoder,
    build_encoder,
    gaussian_kernel,
    load_encoder,
    save_encoder,
)


@settings(deadline=None, max_examples=60)
@given(
    sigma=st.floats(0.05, 50),
    size=st.sampled_from([1, 3, 5, 7, 9]),
    levels=st.integers(2, 256),
    limit=st.floats(1e-3, 3),
    seed=st.integers(0, 2**31),
    parts=st.sampled_from([(True, True), (True, False), (False, True), (False, False)]),
)
def test_a_file_read_without_torch_gives_the_encoders_own_numbers(
    tmp_path_factory, sigma, size, levels, limit, seed, parts
):
    encoder = build_encoder(
        'bdq_hard',
        blur=parts[0],
        difference=parts[1],
        sigma=sigma,
        kernel_size=size,
        num_levels=levels,
        range_limit=limit,
        padding=['replicate', 'zeros'][seed % 2],
    )
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        encoder.quantize.thresholds += torch.randn(levels - 1, generator=generator)
    path = save_encoder(encoder, tmp_path_factory.mktemp('form') / 'encoder.json')
    own = load_encoder(path).integer_form()
    assert load_form(path).to_dict() == own.to_dict() == encoder.integer_form().to_dict()
    assert CameraForm.from_dict(json.loads(json.dumps(own.to_dict()))).to_dict() == own.to_dict()


@pytest.mark.parametrize('sigma', [0.3, 1.0, 1.5, 3.0, 20.0])
@pytest.mark.parametrize('size', [1, 3, 5, 9])
def test_kernel_is_the_gaussian_in_multiples_of_1_256(sigma, size):
    kernel = integer_kernel(sigma, size)
    exact = 256 * gaussian_kernel(torch.tensor(sigma, dtype=torch.float64), size)
    assert sum(kernel) == 256 and kernel == kernel[::-1]
    assert list(kernel[: size // 2]) == [round(w) for w in exact[: size // 2].tolist()]


def test_extreme_sigmas():
    assert integer_kernel(1e-300) == (0, 0, 256, 0, 0)
    assert integer_kernel(1e300) == (51, 51, 52, 51, 51)
    with pytest.raises(ValueError, match='smaller kernel_size'):
        integer_kernel(1e6, 45)


def test_numbers_are_rounded_to_float32_as_torch_does(tmp_path, encoder_file):
    document = json.loads(encoder_file.read_text())
    document['state']['blur.log_sigma'] = 0.1 + 1e-12
    path = tmp_path / 'by_hand.json'
    path.write_text(json.dumps(document))
    assert load_form(path).to_dict() == load_encoder(path).integer_form().to_dict()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(format='other'), 'lacks "format"'),
        (dict(version=2), 'version 2'),
        (dict(type='PassThrough'), 'fixed range'),
        (dict(config={}), "lacks 'quantization'"),
        (dict(state={}), "lacks 'blur.log_sigma'"),
    ],
)
def test_bad_files_name_themselves(tmp_path, encoder_file, change, message):
    path = tmp_path / 'bad.json'
    path.write_text(json.dumps({**json.loads(encoder_file.read_text()), **change}))
    with pytest.raises(ValueError, match=message) as error:
        load_form(path)
    assert 'bad.json' in str(error.value)


def test_more_bad_files(tmp_path, encoder_file):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.json'):
        load_form(tmp_path / 'nowhere.json')
    (tmp_path / 'text.json').write_text('no json')
    with pytest.raises(ValueError, match=r'not an encoder file .*: name the encoder\.json'):
        load_form(tmp_path / 'text.json')
    document = json.loads(encoder_file.read_text())
    document['state']['quantize.thresholds'].pop()
    (tmp_path / 'short.json').write_text(json.dumps(document))
    with pytest.raises(ValueError, match='one threshold less'):
        load_form(tmp_path / 'short.json')
    document = json.loads(encoder_file.read_text())
    document['state']['quantize.low'] = math.nan
    (tmp_path / 'nan.json').write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r'nan\.json'):
        load_form(tmp_path / 'nan.json')


@pytest.mark.parametrize('levels', [2, 3, 7])
def test_a_dead_zone_is_symmetric_to_the_last_unit(tmp_path, levels):
    encoder = BDQEncoder(
        num_levels=levels, dead_zone=0.02, step=0.1, mode='hard', range='fixed', dither=0.015
    )
    form = load_form(save_encoder(encoder, tmp_path / 'encoder.json'))
    assert form == encoder.integer_form() == CameraForm.from_dict(form.to_dict())
    first = math.floor(encoder.quantize.dead_zone.item() * 255 * 65536)
    if levels == 2:
        assert form.magnitude and form.thresholds == (first,)
    else:
        assert {a + b for a, b in zip(form.thresholds, form.thresholds[::-1], strict=True)} == {-1}
        assert form.thresholds[levels // 2] == first
    assert form.low == (0 if levels == 2 else -(levels // 2) * form.step)


def test_blocks_are_read_of_files_and_absent_in_older_ones(tmp_path):
    for block in (1, 8):
        path = save_encoder(build_encoder('bdq_hard', block=block), tmp_path / f'{block}.json')
        form = load_form(path)
        assert form.block == block and form == load_encoder(path).integer_form()
    older = {name: value for name, value in form.to_dict().items() if name != 'block'}
    assert CameraForm.from_dict(older).block == 1
    # What is off is not recorded: the file of an encoder without blocks is one of an older version.
    assert 'block' not in json.loads((tmp_path / '1.json').read_text())['config']


def test_randomised_response_is_read_of_files_and_absent_in_older_ones(tmp_path):
    path = save_encoder(build_encoder('certified', flip=0.3), tmp_path / 'encoder.json')
    form = load_form(path)
    assert form.flip == 0.3 and form == load_encoder(path).integer_form()
    assert CameraForm.from_dict(json.loads(json.dumps(form.to_dict()))) == form
    older = {name: value for name, value in form.to_dict().items() if name != 'flip'}
    assert CameraForm.from_dict(older).flip == 0


@pytest.mark.parametrize('preset', ['bdq', 'bd', 'bdq_released', 'ryoo_16'])
def test_encoders_that_cannot_stream_say_so(tmp_path: Path, preset: str):
    path = save_encoder(build_encoder(preset), tmp_path / 'encoder.json')
    with pytest.raises(ValueError, match="range='fixed'"):
        load_form(path)


@pytest.mark.parametrize(
    'change',
    [
        dict(kernel=[1, 2]),
        dict(kernel=[100, 56, 100, 0, 0]),
        dict(kernel=[-1, 258, -1]),
        dict(padding='circular'),
        dict(thresholds=[]),
        dict(thresholds=[2, 1]),
        dict(dither=-1),
        dict(low='x'),
        dict(extra=1),
        dict(block=0),
        dict(block=129),
        dict(flip=0.99),
        dict(flip=-0.1),
    ],
)
def test_forms_from_outside_are_checked(encoder_file, change):
    with pytest.raises(ValueError, match='whole numbers'):
        CameraForm.from_dict({**load_form(encoder_file).to_dict(), **change})
