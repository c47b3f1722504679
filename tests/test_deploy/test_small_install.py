"""A camera's machine with NumPy and PyAV alone, and frames of the size of training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import Future

import cv2
import numpy as np
import pytest

from bdq_plugin.deploy import PackedReader, StreamingEncoder, encode_clip, streaming
from bdq_plugin.deploy import fastest as fastest_module
from bdq_plugin.deploy.c_core import cached_core
from bdq_plugin.deploy.encoding import fit_frame
from bdq_plugin.deploy.fastest import Fastest, at_hand, make_ready
from bdq_plugin.deploy.scaling import plain_resize
from bdq_plugin.encoder_file import chosen_every, trained_frames, zoo_names
from bdq_plugin.encoders import build_encoder
from bdq_plugin.video import pixels as pixels_module
from bdq_plugin.video.pixels import luma_of_rgb
from bdq_plugin.video.source import VideoSource
from tests.test_deploy.conftest import bare_site, moving_frames
from tools import encode_video, export

REPOSITORY = encode_video.__file__.rpartition('/tools/')[0]


@pytest.mark.parametrize('channels', [(), (3,)])
def test_scaling_without_opencv_gives_its_pixels(channels):
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width, *size = rng.integers(1, 150, 4).tolist()
        frame = rng.integers(0, 256, (height, width, *channels), np.uint8)
        expected = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        found = plain_resize(frame, *size)
        assert found.dtype == np.uint8 and np.array_equal(found, expected), (frame.shape, size)


def test_grey_without_opencv_is_the_same(monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (3, 97, 101, 3), np.uint8)
    expected = luma_of_rgb(rgb)
    monkeypatch.setattr(pixels_module, 'find_spec', lambda name: None)
    assert np.array_equal(luma_of_rgb(rgb), expected)


@pytest.fixture(scope='module')
def cache(tmp_path_factory) -> str:
    """Where the C core is kept."""
    return str(tmp_path_factory.mktemp('cache'))


@pytest.mark.parametrize(
    ('preset', 'arguments'),
    [
        ('bdq_hard', {}),
        ('bdq_hard', dict(num_levels=2)),
        ('bdq_hard', dict(block=2, num_levels=4)),
        ('blocks_noise_geometry', dict(block=4)),
    ],
)
def test_what_is_ready_takes_over(tmp_path, monkeypatch, cache, preset, arguments):
    """NumPy begins, the C core or numba goes on: the same codes, noise and geometry included."""
    form = build_encoder(preset, **arguments).integer_form()
    drawn = dict(seed=5, secret=bytes(range(32)))
    clips = [moving_frames(7, 36, 52), moving_frames(6, 20, 24)[..., 0]]
    expected = [codes_of(StreamingEncoder(form, compiled=False, **drawn), clip) for clip in clips]
    monkeypatch.setenv('XDG_CACHE_HOME', cache)
    library = cached_core()
    for fastest in (
        Fastest(library, False),
        Fastest(None, True),
        Fastest(None, False),
    ):
        for clip, codes in zip(clips, expected, strict=True):
            ready: Future[Fastest] = Future()
            monkeypatch.setattr(streaming, 'at_hand', lambda: None)
            monkeypatch.setattr(streaming, 'make_ready', lambda form, ready=ready: ready)
            stream = StreamingEncoder(form, **drawn)
            begun = codes_of(stream, clip[:4])
            assert stream._core is None and not stream.compiled
            ready.set_result(fastest)
            gone_on = [stream(frame) for frame in clip[4:]]
            assert (stream._core is not None) == (fastest.library is not None)
            assert stream.compiled == (fastest == (None, True))
            assert np.array_equal([*begun, *gone_on], codes)
            stream.reset()  # what is chosen stays so
            assert stream(clip[0]) is None and stream(clip[1]).shape == codes.shape[1:]


def codes_of(stream, clip) -> np.ndarray:
    return np.stack([codes for frame in clip if (codes := stream(frame)) is not None])


def test_the_first_frame_waits_for_no_compiler(tmp_path, monkeypatch, encoder_file):
    """With an empty cache; the core is compiled behind the first codes, and is there next time."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    frames = moving_frames(4, 20, 24)
    stream = StreamingEncoder(encoder_file)
    codes = codes_of(StreamingEncoder(encoder_file, compiled=False), frames)
    assert stream(frames[0]) is None and np.array_equal(stream(frames[1]), codes[0])
    assert stream._ready is None and not list(tmp_path.rglob('*.so'))
    stream(frames[2])
    fastest = stream._ready.result(timeout=60)
    assert list(tmp_path.rglob('*.so')) == [fastest.library]
    assert stream(frames[3]) is not None and stream._core is not None
    assert StreamingEncoder(encoder_file)._core is not None, 'at once, from now on'


def test_without_a_compiler_it_is_numba_or_numpy(tmp_path, monkeypatch, encoder_file):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('PATH', '')
    form = StreamingEncoder(encoder_file).form
    assert at_hand() is None
    assert make_ready(form).result(timeout=300) == (None, True)
    real = fastest_module.find_spec
    monkeypatch.setattr(
        fastest_module, 'find_spec', lambda name: None if name == 'numba' else real(name)
    )
    assert make_ready(form).result(timeout=60) == (None, False)


def test_nothing_slow_is_imported_before_the_first_frame(tmp_path, make_video):
    """Neither numba nor torch."""
    video = make_video(moving_frames(4, 48, 64))
    code = (
        'import runpy, sys\n'
        f'sys.argv = ["x", "bdq_hard_ixmas_take3", {str(video)!r}, {str(tmp_path / "x.bdq")!r}]\n'
        'sys.argv += ["--max-frames", "1"]\n'
        'try:\n    runpy.run_module("tools.encode_video", run_name="__main__")\n'
        'except SystemExit as end:\n    assert end.code == 0\n'
        'assert not {"numba", "torch", "scipy", "mmengine"} & set(sys.modules)\n'
    )
    environment = {**os.environ, 'XDG_CACHE_HOME': str(tmp_path), 'PYTHONPATH': REPOSITORY}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_numpy_and_pyav_are_enough(tmp_path, make_video, cache):
    """The same file of codes, at the size of training and grey, as with all packages."""
    video = make_video(moving_frames(8, 60, 80))
    names = [tmp_path / 'small.bdq', tmp_path / 'all.bdq']
    encoder = 'bdq_hard_ixmas_take3'
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'av')
    arguments = ['tool', encoder, str(video), str(names[0]), '--compression', 'zlib']
    script = (
        f'{start}sys.path.append({REPOSITORY!r})\nsys.argv = {arguments!r}\n'
        'import runpy\nrunpy.run_module("tools.encode_video", run_name="__main__")'
    )
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-c', script],
        capture_output=True,
        text=True,
        env={**os.environ, 'XDG_CACHE_HOME': cache},
    )
    assert done.returncode == 0 or 'SystemExit: 0' in done.stderr, done.stderr
    assert encode_video.main([encoder, str(video), str(names[1]), '--compression', 'zlib']) == 0
    assert names[0].read_bytes() == names[1].read_bytes()
    with VideoSource(video, grey=True) as source:
        frames = np.stack([fit_frame(frame.pixels, 48, None) for frame in source])
    assert frames.shape == (8, 48, 64)
    assert np.array_equal(PackedReader(names[0]).read(), encode_clip(encoder, frames))


def test_a_preset_needs_torch_and_says_so(tmp_path):
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'av')
    arguments = ['tool', 'blocks', 'nowhere.mp4', str(tmp_path / 'x.bdq')]
    script = (
        f'{start}sys.path.append({REPOSITORY!r})\nsys.argv = {arguments!r}\n'
        'import runpy\nrunpy.run_module("tools.encode_video", run_name="__main__")'
    )
    command = [sys.executable, '-I', '-S', '-c', script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "'blocks' is not of the zoo (" in done.stderr and 'blocks_48x64' in done.stderr
    assert 'Presets are built with torch' in done.stderr and done.returncode == 1


def test_a_preset_is_encoded_with_where_it_has_a_form(tmp_path, make_video, capsys):
    """Whole frames, of which nobody says that they are those that it is for."""
    video, out = make_video(moving_frames(4, 48, 64)), tmp_path / 'x.bdq'
    assert encode_video.main(['blocks', str(video), str(out)]) == 0
    assert 'does not say for which frames it is' in capsys.readouterr().err
    assert PackedReader(out).shape == (6, 8, 3)
    assert encode_video.main(['bdq', str(video), str(tmp_path / 'y.bdq')]) == 1
    assert 'error: bdq: only an encoder with quantisation and a fixed' in capsys.readouterr().err
    assert export.main(['blocks', str(tmp_path / 'bdq_form.h')]) == 0
    assert export.main(['pass_through', str(tmp_path / 'no_form.h')]) == 1


# ---------------------------------------------------------------- the size of training
@pytest.fixture
def trained(tmp_path, encoder_file) -> str:
    """An encoder whose file says that it was trained on colour frames, 24 pixels high."""
    document = json.loads(encoder_file.read_text())
    document['metadata']['frames'] = dict(height=24, width=40, channels=3)
    path = tmp_path / 'trained.json'
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize(
    ('options', 'shape', 'said'),
    [
        ([], (24, 32, 3), '24 pixels on the shorter side, in colour: as in training'),
        (['--full-size'], (48, 64, 3), 'other frames than'),
        (['--short-side', '36'], (36, 48, 3), 'other frames than'),
        (['--grey'], (24, 32), 'other frames than'),
    ],
)
def test_frames_are_those_of_training(tmp_path, make_video, trained, options, shape, said, capsys):
    out = tmp_path / 'x.bdq'
    video = make_video(moving_frames(4, 48, 64))
    assert encode_video.main([trained, str(video), str(out), *options]) == 0
    printed = capsys.readouterr()
    assert PackedReader(out).shape == shape and said in printed.err
    assert 'MB an hour' in printed.out


def test_an_encoder_that_does_not_say(tmp_path, make_video, encoder_file):
    assert trained_frames(encoder_file) is None
    video = make_video(moving_frames(4, 48, 64))
    assert encode_video.main([str(encoder_file), str(video), str(tmp_path / 'x.bdq')]) == 0
    assert PackedReader(tmp_path / 'x.bdq').shape == (48, 64, 3)


@pytest.mark.parametrize(
    ('options', 'count', 'said'),
    [
        ([], 4, 'one frame of 3 is encoded'),
        (['--every', '1'], 12, 'is for one frame of 3, and gets one of 1'),
    ],
)
def test_frames_are_those_that_the_numbers_were_chosen_for(
    tmp_path, make_video, encoder_file, options, count, said, capsys
):
    document = json.loads(encoder_file.read_text())
    document['metadata']['every'] = 3
    (tmp_path / 'slow.json').write_text(json.dumps(document))
    video, out = make_video(moving_frames(13, 24, 32)), tmp_path / 'x.bdq'
    assert encode_video.main([str(tmp_path / 'slow.json'), str(video), str(out), *options]) == 0
    assert len(list(PackedReader(out))) == count and said in capsys.readouterr().err
    for wrong in ('third', 0, True, 1.5):
        document['metadata']['every'] = wrong
        (tmp_path / 'slow.json').write_text(json.dumps(document))
        with pytest.raises(ValueError, match=f'slow.json: .* every={wrong!r} is no such n: give'):
            chosen_every(tmp_path / 'slow.json')


@pytest.mark.parametrize('frames', [5, {}, dict(height=0, width=4, channels=1), dict(height='x')])
def test_sizes_that_are_none(tmp_path, encoder_file, frames):
    document = json.loads(encoder_file.read_text())
    document['metadata']['frames'] = frames
    (tmp_path / 'x.json').write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r'x\.json: its metadata names'):
        trained_frames(tmp_path / 'x.json')


def test_encoders_of_the_package_say_it():
    assert tuple(trained_frames('bdq_hard_ixmas_take3')) == (48, True)
    assert not [name for name in zoo_names() if trained_frames(name) is None]
