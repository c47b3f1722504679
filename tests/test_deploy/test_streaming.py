from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from bdq_plugin.deploy import CameraForm, StreamingEncoder, decode, encode_clip, load_form
from bdq_plugin.deploy.streaming import draw_noise
from bdq_plugin.encoders import BDQEncoder, build_encoder
from bdq_plugin.encoders.integer import integer_codes
from bdq_plugin.randomized_response import WORDS
from tests.test_deploy.conftest import bare_site

REPOSITORY = Path(__file__).resolve().parents[2]


def whole_clip_codes(encoder, frames: np.ndarray) -> np.ndarray:
    """Codes of the torch encoder for frames (T, H, W) or (T, H, W, C), in the same layout."""
    clip = torch.from_numpy(frames if frames.ndim == 4 else frames[..., None])
    codes = encoder.codes(clip.permute(3, 0, 1, 2)[None])[0].permute(1, 2, 3, 0).numpy()
    return codes if frames.ndim == 4 else codes[..., 0]


def stream_codes(form, frames: np.ndarray, compiled: bool) -> np.ndarray:
    stream = StreamingEncoder(form, compiled=compiled)
    return np.stack([codes for frame in frames if (codes := stream(frame)) is not None])


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize(
    'arguments',
    [
        dict(),
        dict(padding='zeros', sigma=3.0),
        dict(num_levels=2),
        dict(num_levels=9, range_limit=1.5),
        dict(num_levels=17, kernel_size=9, sigma=2.5, padding='zeros'),
        dict(num_levels=256, range_limit=0.1),
        dict(blur=False),
        dict(difference=False),
        dict(blur=False, difference=False, num_levels=256),
        dict(kernel_size=3, sigma=0.4, range_limit=1e6),
    ],
    ids=str,
)
def test_codes_equal_the_whole_clips(arguments, compiled):
    encoder = build_encoder('bdq_hard', **arguments)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        encoder.quantize.thresholds += torch.randn(encoder.quantize.num_levels - 1) * 0.3
    form = encoder.integer_form()
    shapes = [(1, 1), (1, 1, 3), (1, 7), (5, 1, 3), (2, 3, 1), (37, 21, 3), (24, 32), (9, 8, 4)]
    for shape in shapes:
        frames = rng.integers(0, 256, (4, *shape), dtype=np.uint8)
        frames[1] = 255 * (frames[1] > 127)  # the largest differences there are
        expected = whole_clip_codes(encoder, frames)
        assert np.array_equal(stream_codes(form, frames, compiled), expected), shape


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize(
    ('block', 'arguments'),
    [
        (8, dict(range_limit=0.05)),
        (3, dict(padding='zeros', sigma=3.0, num_levels=2)),
        (2, dict(num_levels=256, difference=False)),
        (128, dict(blur=False, range_limit=0.02)),
    ],
    ids=str,
)
def test_codes_of_blocks_equal_the_whole_clips(block, arguments, compiled):
    encoder = build_encoder('bdq_hard', block=block, **arguments)
    form = encoder.integer_form()
    rng = np.random.default_rng(0)
    for rows, columns, *channels in [(1, 1), (1, 3, 3), (3, 2, 1), (2, 1, 4)]:
        frames = rng.integers(0, 256, (4, rows * block, columns * block, *channels), np.uint8)
        frames[1] = 255
        codes = stream_codes(form, frames, compiled)
        assert codes.shape[1:] == (rows, columns, *channels)
        assert np.array_equal(codes, whole_clip_codes(encoder, frames))


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize('levels', [2, 3, 5, 19])
@pytest.mark.parametrize('block', [1, 4])
def test_codes_about_a_dead_zone_equal_the_whole_clips(levels, block, compiled):
    encoder = BDQEncoder(
        num_levels=levels, dead_zone=5 / 255, step=6 / 255, mode='hard', range='fixed', block=block
    )
    form = encoder.integer_form()
    rng = np.random.default_rng(0)
    for shape in [(4, 4), (8, 12, 3)]:
        frames = rng.integers(100, 160, (4, *shape), np.uint8)
        frames[1], frames[2] = 100, 105  # on a threshold, or one unit beside it
        assert np.array_equal(
            stream_codes(form, frames, compiled), whole_clip_codes(encoder, frames)
        )


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize('levels', [2, 3])
def test_the_same_noise_gives_the_same_codes_in_torch(levels, compiled):
    encoder = BDQEncoder(
        num_levels=levels, dead_zone=0.03, mode='hard', range='fixed', block=4, dither=0.015
    )
    form = encoder.integer_form()
    frames = np.random.default_rng(0).integers(90, 120, (4, 16, 24, 3), np.uint8)
    stream = StreamingEncoder(form, compiled=compiled, seed=5)
    codes = np.stack([code for frame in frames if (code := stream(frame)) is not None])
    generator = np.random.Generator(np.random.Philox(5))
    noise = np.stack([draw_noise(generator, form, (4, 6, 3)) for _ in range(3)])
    expected = integer_codes(
        form,
        torch.from_numpy(frames).permute(3, 0, 1, 2)[None],
        torch.from_numpy(noise).permute(3, 0, 1, 2)[None].float(),
    )
    assert np.array_equal(codes, expected[0].permute(1, 2, 3, 0).numpy())
    quiet = StreamingEncoder(CameraForm.from_dict({**form.to_dict(), 'dither': 0.0}))
    quiet(frames[0])
    assert not np.array_equal(codes[0], quiet(frames[1]))


@pytest.mark.parametrize('compiled', [True, False, None])
@pytest.mark.parametrize('levels', [2, 3])
def test_the_same_words_replace_the_same_codes_in_torch(levels, compiled):
    form = build_encoder('blocks', num_levels=levels, block=4, flip=0.4).integer_form()
    frames = np.random.default_rng(0).integers(90, 120, (4, 16, 24, 3), np.uint8)
    stream = StreamingEncoder(form, compiled=compiled, seed=5)
    codes = np.stack([code for frame in frames if (code := stream(frame)) is not None])
    generator = np.random.Generator(np.random.Philox([5, 1]))
    words = np.stack([generator.integers(WORDS, size=(4, 6, 3)) for _ in range(3)])
    expected = integer_codes(
        form,
        torch.from_numpy(frames).permute(3, 0, 1, 2)[None],
        words_NCTHW=torch.from_numpy(words).permute(3, 0, 1, 2)[None],
    )
    assert np.array_equal(codes, expected[0].permute(1, 2, 3, 0).numpy())


@pytest.mark.parametrize('shape', [(400, 400), (40, 40, 100)])
def test_a_camera_draws_each_code_from_the_operating_system(shape, monkeypatch):
    form = build_encoder('blocks', num_levels=2, block=1, flip=0.3).integer_form()
    still, stream = np.full(shape, 90, np.uint8), StreamingEncoder(form)
    assert stream(still) is None
    first = stream(still)
    assert abs(first.mean() - 0.3) < 0.01 and not np.array_equal(first, stream(still))
    monkeypatch.setattr('os.urandom', lambda count: b'\xff' * count)
    assert not stream(still).any(), 'a word at the end of the range replaces nothing'


STRENGTHS = dict(scale=0.1, stretch=0.25, rotation=8, shift=0.125, mirror=True, warp=0.04)


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize('redraw', [dict(), dict(redraw=4, change=3)])
@pytest.mark.parametrize('shape', [(1, 1), (1, 6, 3), (5, 1, 2), (60, 52, 3), (8, 12, 5)])
def test_a_secret_gives_the_same_codes_in_torch(shape, redraw, compiled):
    encoder = build_encoder('bdq_hard', geometric_dither=dict(STRENGTHS, **redraw))
    form, secret = encoder.integer_form(), bytes(range(32))
    assert form == CameraForm.from_dict(json.loads(json.dumps(form.to_dict())))
    frames = np.random.default_rng(0).integers(0, 256, (9, *shape), np.uint8)
    stream = StreamingEncoder(form, compiled=compiled, secret=secret)
    codes = np.stack([code for frame in frames if (code := stream(frame)) is not None])
    clip = torch.from_numpy(frames.reshape(9, *shape[:2], -1)).permute(3, 0, 1, 2)[None]
    expected = integer_codes(form, clip, secrets=[secret])[0].permute(1, 2, 3, 0).numpy()
    assert np.array_equal(codes, expected.reshape(codes.shape))


def test_each_stream_has_a_secret_of_its_own_that_shows_nowhere():
    form = build_encoder('bdq_hard', geometric_dither=STRENGTHS).integer_form()
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    stream, found, secrets = StreamingEncoder(form), [], set()
    for _ in range(3):
        stream.reset()
        found.append([stream(frame) for frame in frames][1])
        secrets.add(stream._move._secret)
    assert len(secrets) == 3
    assert not any(np.array_equal(found[i], found[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    for secret in secrets:
        told = f'{stream!r} {stream._move!r} {form!r} {json.dumps(form.to_dict())}'
        assert secret.hex() not in told and repr(secret) not in told


@pytest.mark.parametrize('compiled', [True, False])
def test_frames_that_are_no_whole_blocks_are_refused(compiled):
    stream = StreamingEncoder(build_encoder('bdq_hard', block=8).integer_form(), compiled=compiled)
    with pytest.raises(ValueError, match='20 x 16.*multiples of 8'):
        stream(np.zeros((20, 16, 3), np.uint8))
    assert stream.shape is None and stream(np.zeros((24, 16, 3), np.uint8)) is None
    none_yet = encode_clip(stream.form, np.zeros((1, 16, 24, 3), np.uint8))
    assert none_yet.shape == (0, 2, 3, 3)


def test_values_on_a_threshold_belong_to_the_level_below():
    encoder = build_encoder('bdq_hard', num_levels=2)
    still = np.full((2, 4, 4), 90, np.uint8)
    form = encoder.integer_form()
    assert form.thresholds == (0,)
    for compiled in (True, False):
        assert not stream_codes(form, still, compiled).any()


@pytest.mark.parametrize('compiled', [True, False])
def test_real_kth_video(real_data, compiled):
    path = real_data / 'kth' / 'videos' / 'person01_jogging_d1_uncomp.avi'
    with av.open(str(path)) as container:
        stream = (f.to_ndarray(format='rgb24') for f in container.decode(video=0))
        frames = np.stack([next(stream) for _ in range(40)])
    for preset in ('bdq_hard', 'sign_16', 'sign_2'):
        encoder = build_encoder(preset)
        expected = whole_clip_codes(encoder, frames)
        assert np.array_equal(stream_codes(encoder.integer_form(), frames, compiled), expected)


def test_codes_stand_for_what_the_networks_see(encoder_file):
    encoder = build_encoder('bdq_hard').eval()
    form = load_form(encoder_file)
    frames = np.random.default_rng(1).integers(0, 256, (5, 16, 12), dtype=np.uint8)
    clip = torch.from_numpy(frames)[None, None].float() / 255
    with torch.no_grad():
        seen = encoder(clip)[0, 0].numpy()
    assert np.array_equal(decode(form, encode_clip(form, frames)), seen)


def test_first_frame_reset_and_memory(encoder_file):
    stream = StreamingEncoder(encoder_file)
    frames = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    kept = frames.copy()
    assert stream.shape is None and stream(frames[0]) is None and stream.shape == (8, 8, 3)
    first = stream(frames[1])
    copy = first.copy()
    stream(frames[2])
    assert np.array_equal(first, copy), 'codes must not be overwritten by the next frame'
    assert np.array_equal(frames, kept), 'frames must not be changed'
    stream.reset()
    assert stream(frames[0][:5]) is None, 'after a reset any size begins a stream'
    assert encode_clip(encoder_file, frames[:1]).shape == (0, 8, 8, 3)


def test_frames_that_are_not_contiguous(encoder_file):
    frames = np.random.default_rng(3).integers(0, 256, (3, 10, 12, 3), dtype=np.uint8)
    form = load_form(encoder_file)
    flipped = frames[:, ::-1, ::2]
    assert np.array_equal(
        encode_clip(form, flipped), encode_clip(form, np.ascontiguousarray(flipped))
    )


@pytest.mark.parametrize('compiled', [True, False])
def test_dither_is_noise_of_the_right_size(compiled):
    # Thresholds one unit apart around a still frame: the share above each is that of a normal.
    encoder = build_encoder('bdq_hard', num_levels=2, dither=0.02)
    form = encoder.integer_form()
    still = np.full((2, 200, 200), 90, np.uint8)
    stream = StreamingEncoder(form, compiled=compiled, seed=0)
    stream(still[0])
    assert abs(stream(still[1]).mean() - 0.5) < 0.02
    above = StreamingEncoder(
        encoder.integer_form().from_dict({**form.to_dict(), 'thresholds': [int(form.dither)]}),
        compiled=compiled,
        seed=0,
    )
    above(still[0])
    assert abs(above(still[1]).mean() - 0.1587) < 0.01  # beyond one standard deviation
    again = StreamingEncoder(form, compiled=compiled)
    again(still[0])
    first = again(still[1])
    assert not np.array_equal(first, again(still[1])), 'each frame draws its own noise'


@pytest.mark.parametrize(
    'frame', [np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)], ids=str
)
def test_what_is_no_frame_is_refused(encoder_file, frame):
    with pytest.raises(ValueError, match='uint8 array of shape'):
        StreamingEncoder(encoder_file)(frame)


def test_a_change_of_size_is_refused(encoder_file):
    stream = StreamingEncoder(encoder_file)
    stream(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match=r'reset\(\)'):
        stream(np.zeros((4, 5), np.uint8))


def test_a_camera_needs_neither_torch_nor_openmmlab(tmp_path, encoder_file, frames):
    """The package runs where only NumPy, OpenCV, PyAV and numba are installed."""
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'cv2', 'av', 'numba', 'llvmlite')
    expected = encode_clip(load_form(encoder_file), frames)
    np.save(tmp_path / 'frames.npy', frames)
    np.save(tmp_path / 'codes.npy', expected)
    script = f"""
        import numpy as np
        from bdq_plugin.deploy import PackedReader, PackedWriter, StreamingEncoder
        import bdq_plugin.deploy.encoding
        assert not {{'torch', 'mmengine', 'mmaction', 'mmcv'}} & set(sys.modules)
        frames, codes = np.load({str(tmp_path / 'frames.npy')!r}), np.load(
            {str(tmp_path / 'codes.npy')!r})
        for compiled in (True, False):
            stream = StreamingEncoder({str(encoder_file)!r}, compiled=compiled)
            out = [c for f in frames if (c := stream(f)) is not None]
            assert np.array_equal(out, codes)
        with PackedWriter({str(tmp_path / 'x.bdq')!r}, stream.form, codes.shape[1:]) as writer:
            for i, code in enumerate(out):
                writer.write(code, i)
        assert np.array_equal(PackedReader({str(tmp_path / 'x.bdq')!r}).read(), codes)
        assert not {{'torch', 'mmengine', 'mmaction', 'mmcv'}} & set(sys.modules)
    """
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-c', start + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
