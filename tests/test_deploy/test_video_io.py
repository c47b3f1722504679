"""Viewable codes: written for any player, and read back from the lossless ones."""

from __future__ import annotations

import numpy as np
import pytest

from bdq_plugin.deploy import encode_clip, load_form
from bdq_plugin.deploy.video_io import CodesVideoReader, CodesVideoWriter, level_shades
from bdq_plugin.video.source import SourceError, VideoSource


@pytest.mark.parametrize('levels', [2, 3, 16, 256])
@pytest.mark.parametrize('shape', [(1, 1), (37, 51), (2, 2, 3), (37, 51, 3)])
def test_lossless_video_gives_the_codes_back(tmp_path, encoder_file, levels, shape):
    from bdq_plugin.deploy import CameraForm

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
        pixels = np.stack(pixels)
        assert pixels.shape == (11, 38, 52, 3) and list(times) == [40 * i for i in range(11)]
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
    with pytest.raises(ValueError, match=r'\.mkv \(lossless\) or \.mp4'):
        CodesVideoWriter(tmp_path / 'x.avi', form, (4, 4))
    with pytest.raises(OSError, match='nowhere'):
        CodesVideoWriter(tmp_path / 'nowhere' / 'x.mkv', form, (4, 4))
