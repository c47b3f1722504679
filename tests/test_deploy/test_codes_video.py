from __future__ import annotations

import av
import numpy as np
import pytest

from bdq_plugin.deploy import CameraForm, encode_clip, load_form
from bdq_plugin.deploy.codes_video import (
    CodesVideoReader,
    CodesVideoWriter,
    NoCodesError,
    holds_codes,
    level_shades,
    open_codes,
)
from bdq_plugin.video.source import SourceError, VideoSource
from tests.test_deploy.conftest import encode_anew, moving_frames


@pytest.mark.parametrize('levels', [2, 3, 16, 256])
@pytest.mark.parametrize('shape', [(1, 1), (37, 51), (2, 2, 3), (37, 51, 3)])
def test_lossless_video_gives_the_codes_back(tmp_path, encoder_file, levels, shape):
    form = CameraForm.from_dict(
        {**load_form(encoder_file).to_dict(), 'thresholds': list(range(levels - 1))}
    )
    codes = np.random.default_rng(0).integers(0, levels, (5, *shape), dtype=np.uint8)
    times = [0, 40, 41, 500, 9000]
    with CodesVideoWriter(tmp_path / 'x.mkv', form, shape) as writer:
        for time_ms, frame in zip(times, codes, strict=True):
            writer.write(frame, time_ms)
    reader = CodesVideoReader(tmp_path / 'x.mkv')
    given_times, given = zip(*reader.frames(), strict=True)
    assert reader.form == form and list(given_times) == times
    assert np.array_equal(np.stack(given), codes)


def test_shades_differ_for_all_levels():
    for levels in range(2, 257):
        shades = level_shades(levels)
        assert len(set(shades.tolist())) == levels and shades[0] == 0 and shades[-1] == 255


def test_viewable_video_of_odd_size(tmp_path, encoder_file, frames):
    form = load_form(encoder_file)
    codes = encode_clip(form, frames)
    for clip in (codes, codes[..., 0]):
        path = tmp_path / f'{clip.ndim}.mp4'
        with CodesVideoWriter(path, form, clip.shape[1:]) as writer:
            for i, frame in enumerate(clip):
                writer.write(frame, 40 * i)
        with VideoSource(path) as source:
            times, pixels = zip(*source, strict=True)
        times, pixels = list(times), np.stack(pixels)
        assert pixels.shape == (11, 38, 52, 3) and times == [40 * i for i in range(11)]
        shown = pixels[:, :37, :51].mean(-1)
        meant = level_shades(16)[clip]
        meant = meant.mean(-1) if clip.ndim == 4 else meant
        assert np.abs(shown - meant).mean() < 12
    with pytest.raises(SourceError, match='no lossless video of codes'):
        CodesVideoReader(path)


def test_damage_in_a_lossless_video_is_noticed(tmp_path, encoder_file, frames):
    form = load_form(encoder_file)
    codes = encode_clip(form, frames)
    path = tmp_path / 'x.mkv'
    with CodesVideoWriter(path, form, codes.shape[1:]) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)
    data = bytearray(path.read_bytes())
    for i in range(40):
        data[len(data) // 2 + i] ^= 0xFF
    path.write_bytes(bytes(data))
    given = []
    with pytest.raises(SourceError, match='breaks off'):
        for frame in CodesVideoReader(path):
            given.append(frame)
    assert all(np.array_equal(a, b) for a, b in zip(given, codes, strict=False))


def test_videos_have_one_or_three_channels(tmp_path, encoder_file):
    form = load_form(encoder_file)
    with pytest.raises(ValueError, match='1 or 3 channels'):
        CodesVideoWriter(tmp_path / 'x.mkv', form, (4, 4, 2))
    with pytest.raises(ValueError, match=r'\.mkv \(lossless\), \.mp4, \.ts or \.mjpeg'):
        CodesVideoWriter(tmp_path / 'x.avi', form, (4, 4))
    with pytest.raises(OSError, match='nowhere'):
        CodesVideoWriter(tmp_path / 'nowhere' / 'x.mkv', form, (4, 4))


def codes_file(path, form, codes) -> None:
    with CodesVideoWriter(path, form, codes.shape[1:]) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)


@pytest.mark.parametrize('grey', [True, False])
def test_a_copy_that_was_encoded_anew_is_refused(tmp_path, encoder_file, grey):
    form = load_form(encoder_file)
    codes = encode_clip(form, moving_frames(8, 36, 50))
    codes_file(tmp_path / 'x.mkv', form, codes[..., 0] if grey else codes)
    copies = dict(
        h264=('libx264', 'yuv420p', dict(crf='20')),
        yuv=('ffv1', 'yuv420p', {}),
        mjpeg=('mjpeg', 'yuvj420p', {}),
    )
    for name, how in copies.items():
        path = tmp_path / f'{name}.mkv'
        encode_anew(tmp_path / 'x.mkv', path, *how)
        with pytest.raises(SourceError, match=rf'{name}\.mkv: it is .* encoded the codes anew'):
            CodesVideoReader(path)
        with pytest.raises(SourceError, match='encoded the codes anew'):
            open_codes(path)
        assert holds_codes(path), 'and nobody takes it for a clear video'
    # Back in the right codec, after a loss.
    path = tmp_path / 'back.mkv'
    encode_anew(tmp_path / 'h264.mkv', path, 'ffv1', 'gray' if grey else 'bgr0', {})
    with pytest.raises(SourceError, match=r'back\.mkv: frame 0 holds the shade \d+, which is none'):
        next(iter(CodesVideoReader(path)))
    # Lossless copies pass.
    encode_anew(tmp_path / 'x.mkv', path, 'ffv1', 'gray' if grey else 'bgr0', dict(coder='0'))
    assert np.array_equal(np.stack(list(CodesVideoReader(path))), codes[..., 0] if grey else codes)


def test_one_wrong_shade_is_named_with_its_frame(tmp_path, encoder_file):
    form = load_form(encoder_file)
    pixels = np.zeros((4, 36, 50), np.uint8)
    pixels[2, 5, 7] = 16
    codes_file(tmp_path / 'x.mkv', form, np.zeros((1, 36, 50), np.uint8))
    with av.open(str(tmp_path / 'x.mkv')) as old:
        tags = dict(old.metadata)
    with av.open(str(tmp_path / 'y.mkv'), 'w') as new:
        new.metadata.update(tags)
        stream = new.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = 50, 36, 'gray'
        for frame in pixels:
            new.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='gray')))
        new.mux(stream.encode())
    given = []
    with pytest.raises(SourceError, match=r'y\.mkv: frame 2 holds the shade 16, .* 16 levels'):
        for frame in CodesVideoReader(tmp_path / 'y.mkv'):
            given.append(frame)
    assert len(given) == 2


def test_frames_can_be_read_again(tmp_path, encoder_file):
    form = load_form(encoder_file)
    codes = encode_clip(form, moving_frames(5, 36, 50))
    codes_file(tmp_path / 'x.mkv', form, codes)
    reader = CodesVideoReader(tmp_path / 'x.mkv')
    assert reader.shape == (36, 50, 3)
    for _ in range(2):
        assert np.array_equal(np.stack(list(reader)), codes)


def test_codes_are_known_by_their_content(tmp_path, encoder_file, make_video, frames):
    form = load_form(encoder_file)
    codes = encode_clip(form, frames)
    codes_file(tmp_path / 'x.mkv', form, codes)
    (tmp_path / 'x.mkv').rename(tmp_path / 'renamed.avi')
    assert isinstance(open_codes(tmp_path / 'renamed.avi'), CodesVideoReader)
    clear = make_video(frames)
    assert open_codes(clear) is None and not holds_codes(clear)
    with pytest.raises(NoCodesError, match='lacks the tag'):
        CodesVideoReader(clear)
    (tmp_path / 'text.mkv').write_text('text')
    assert open_codes(tmp_path / 'text.mkv') is None and not holds_codes(tmp_path / 'text.mkv')
    with pytest.raises(SourceError, match='not a readable video'):
        CodesVideoReader(tmp_path / 'text.mkv')
    assert open_codes('rtsp://127.0.0.1:9/x') is None and open_codes('0') is None


def test_a_malformed_tag(tmp_path, encoder_file):
    form = load_form(encoder_file)
    codes_file(tmp_path / 'x.mkv', form, np.zeros((2, 36, 50), np.uint8))
    for old, new in [(b'"kernel"', b'"kern\x01l"'), (b'replicate', b'duplicate')]:
        path = tmp_path / 'y.mkv'
        path.write_bytes((tmp_path / 'x.mkv').read_bytes().replace(old, new))
        with pytest.raises(SourceError, match='BDQ_FORM is malformed'):
            CodesVideoReader(path)


def test_names_of_any_kind(tmp_path, encoder_file, monkeypatch):
    """Colons, which FFmpeg takes for a protocol's, and bytes that are no UTF-8."""
    form = load_form(encoder_file)
    codes = encode_clip(form, moving_frames(3, 36, 50))
    monkeypatch.chdir(tmp_path)
    for name in ('10:20:30.mkv', 'http:x.mkv', 'caf\udce9.mkv', 'a b%20.mkv', '-x.mkv'):
        codes_file(name, form, codes)
        assert np.array_equal(np.stack(list(CodesVideoReader(name))), codes)
