"""Readers: exact pixels, odd widths, broken files."""

from __future__ import annotations

import csv
import hashlib
import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.datasets.video_reader import (
    ArrayReader,
    DecordReader,
    PyAVReader,
    VideoError,
    count_frames,
    decord_reads_width,
    open_video,
)

ORIGINALS = (
    'alba1_05_get-up_cam0_frames_0350_0424.avi',
    'julien2_11_point_cam3_frames_0800_0831.avi',
    'nicolas3_10_kick_cam2_frames_0870_0945.avi',
)


def write_raw_video(path: Path, width: int, height: int = 64, count: int = 6) -> np.ndarray:
    """Write random grey frames uncompressed; return them as (T, H, W, 3)."""
    grey = np.random.default_rng(width).integers(0, 256, (count, height, width, 1), dtype=np.uint8)
    frames = np.repeat(grey, 3, axis=3)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('rawvideo', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, 'bgr24'
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    return frames


@pytest.mark.parametrize('width', [16, 24, 40, 48, 56, 62, 64, 66, 72, 80, 96, 150, 160, 176])
def test_every_width_decodes_to_its_pixels(tmp_path, width):
    frames = write_raw_video(tmp_path / 'clip.avi', width)
    reader = open_video(tmp_path / 'clip.avi')
    np.testing.assert_array_equal(reader.get_batch(range(6)), frames)
    assert (reader.width, reader.height, reader.fps, len(reader)) == (width, 64, 25, 6)


@pytest.mark.parametrize('width', [48, 72])
def test_decord_still_misreads_these_widths(tmp_path, width):
    # When a new decord makes this fail, decord_reads_width can go.
    write_raw_video(tmp_path / 'clip.avi', width)
    with pytest.raises(VideoError, match=r'clip\.avi'):
        DecordReader(tmp_path / 'clip.avi').get_batch([0, 1])


def test_backend_by_width(tmp_path):
    for width, kind in ((48, PyAVReader), (96, PyAVReader), (160, DecordReader)):
        write_raw_video(tmp_path / f'{width}.avi', width)
        assert isinstance(open_video(tmp_path / f'{width}.avi'), kind)
    assert decord_reads_width(160) and decord_reads_width(320) and not decord_reads_width(48)


@pytest.mark.parametrize('backend', ['decord', 'pyav'])
def test_batches_in_any_order_with_repeats(tmp_path, backend):
    frames = write_raw_video(tmp_path / 'clip.avi', 64)
    order = [4, 0, 4, 5]
    batch = open_video(tmp_path / 'clip.avi', backend).get_batch(order)
    np.testing.assert_array_equal(batch, frames[order])
    assert batch.dtype == np.uint8


@pytest.mark.parametrize('backend', ['decord', 'pyav'])
@pytest.mark.parametrize(
    ('indices', 'error', 'words'),
    [
        ([6], VideoError, 'only 6 frames'),
        ([-1], IndexError, 'negative'),
        ([], ValueError, 'no frame index'),
    ],
)
def test_bad_indices(tmp_path, backend, indices, error, words):
    write_raw_video(tmp_path / 'clip.avi', 64)
    with pytest.raises(error, match=words):
        open_video(tmp_path / 'clip.avi', backend).get_batch(indices)


def test_truncated_file_counts_what_decodes(tmp_path):
    frames = write_raw_video(tmp_path / 'whole.avi', 64)
    size = (tmp_path / 'whole.avi').stat().st_size
    cut = tmp_path / 'cut.avi'
    cut.write_bytes((tmp_path / 'whole.avi').read_bytes()[: size // 2])
    count = count_frames(cut)
    assert 0 < count < 6
    np.testing.assert_array_equal(PyAVReader(cut).get_batch(range(count)), frames[:count])
    with pytest.raises(VideoError, match=r'cut\.avi.*truncated'):
        PyAVReader(cut).get_batch([5])
    with pytest.raises(VideoError, match=r'cut\.avi'):
        open_video(cut).get_batch([5])


@pytest.mark.parametrize('content', [b'', b'this is not a video' * 50])
@pytest.mark.parametrize('read', [open_video, count_frames, DecordReader])
def test_unreadable_file_is_named(tmp_path, content, read):
    path = tmp_path / 'broken.avi'
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r'broken\.avi') as caught:
        read(path)
    # Data loader workers send errors pickled.
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_missing_file_and_unknown_backend(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.avi'):
        open_video(tmp_path / 'nowhere.avi')
    with pytest.raises(ValueError, match='auto, decord, pyav'):
        open_video(tmp_path / 'nowhere.avi', backend='opencv')


def test_sound_without_picture(tmp_path):
    path = tmp_path / 'sound.avi'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        samples = np.zeros((1, 800), np.int16)
        sound = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(VideoError, match='no video stream'):
        open_video(path)


def test_array_reader_keeps_video_indices_and_copies():
    frames = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1)
    reader = ArrayReader(frames, first=10)
    batch = reader.get_batch([11, 11])
    np.testing.assert_array_equal(batch, np.repeat(frames[[1, 1]], 3, axis=3))
    batch[:] = 255
    assert frames.max() == 15
    with pytest.raises(IndexError, match='10 to 13'):
        reader.get_batch([9])


@pytest.mark.parametrize('name', ORIGINALS)
def test_ixmas_originals_match_their_checksums(real_data, name):
    with open(real_data / 'ixmas' / 'clips.csv', newline='') as file:
        row = next(row for row in csv.DictReader(file) if row['name'] == name)
    path = real_data / 'ixmas' / 'original_samples' / name
    count = count_frames(path)
    frames = open_video(path).get_batch(range(count))
    assert count == int(row['num_frames'])
    for channel in range(3):
        digest = hashlib.md5(frames[..., channel].tobytes()).hexdigest()
        assert digest == row['md5_of_gray_frames']


def test_kth_videos_read_alike_by_decord_and_pyav(real_data):
    paths = sorted((real_data / 'kth' / 'videos').iterdir())
    assert len(paths) == 5
    for path in paths:
        count = count_frames(path)
        fast, exact = open_video(path, 'decord'), open_video(path, 'pyav')
        assert len(fast) == count
        indices = [0, 7, count // 3, count // 3 + 1, count // 2, count - 1]
        np.testing.assert_array_equal(fast.get_batch(indices), exact.get_batch(indices))
