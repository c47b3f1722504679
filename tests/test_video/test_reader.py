"""The reader: exact pixels, all kinds of files, and damage that is never painted over."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import pickle
import shutil
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from bdq_plugin.video import reader
from bdq_plugin.video.container import VideoError
from bdq_plugin.video.reader import (
    ArrayReader,
    VideoFile,
    count_frames,
    file_digest,
    open_video,
)
from tests.test_video.videos import write_raw_video, write_video

ORIGINALS = (
    'alba1_05_get-up_cam0_frames_0350_0424.avi',
    'julien2_11_point_cam3_frames_0800_0831.avi',
    'nicolas3_10_kick_cam2_frames_0870_0945.avi',
)


def moving_square(count: int = 60, size: int = 64) -> np.ndarray:
    frames = np.full((count, size, size, 3), 90, np.uint8)
    for i, frame in enumerate(frames):
        frame[i % 40 : i % 40 + 16, 20:36] = (250, 10 + 4 * i, 30)
    return frames


def decode_from_the_beginning(path: Path) -> np.ndarray:
    """All frames, by PyAV as its documentation shows it."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        convert = VideoReformatter().reformat
        frames = container.decode(video=0)
        return np.stack([convert(f, format='rgb24', threads=1).to_ndarray() for f in frames])


@pytest.fixture(scope='module', params=['h264.mp4', 'mpeg4.avi', 'mpeg4.mkv', 'b_frames.avi'])
def compressed(request, tmp_path_factory) -> Path:
    """60 frames with a key frame every 12, with frames in another order than shown (B-frames)."""
    path = tmp_path_factory.mktemp('compressed') / request.param
    codec = 'libx264' if request.param.startswith('h264') else 'mpeg4'
    b_frames = '0' if request.param == 'mpeg4.avi' else '2'
    write_video(path, moving_square(), codec, 'yuv420p', g='12', bf=b_frames)
    return path


def test_frames_equal_sequential_decoding_wherever_they_lie(compressed):
    expected = decode_from_the_beginning(compressed)
    video = VideoFile(compressed)
    assert len(video) == len(expected)
    np.testing.assert_array_equal(video.get_batch(range(len(video))), expected)
    for first in range(0, len(expected), 5):
        wanted = [i for i in (first, first + 1, first + 9) if i < len(expected)]
        np.testing.assert_array_equal(VideoFile(compressed).get_batch(wanted), expected[wanted])


def test_only_what_is_needed_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / 'clip.avi'
    write_video(path, moving_square(), 'mpeg4', 'yuv420p', g='12', bf='0')
    video = VideoFile(path, num_frames=60)
    decode, decoded = reader.decode, []

    def spy(*arguments, **options):
        for frame in decode(*arguments, **options):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(reader, 'decode', spy)
    video.get_batch([50, 53])
    assert video.can_seek
    assert decoded == list(range(48, 54))


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """How many frames each pass over a file has decoded."""
    decode, counts = reader.decode, []

    def spy(*arguments, **options):
        counts.append(0)
        for frame in decode(*arguments, **options):
            counts[-1] += 1
            yield frame

    monkeypatch.setattr(reader, 'decode', spy)
    return counts


@pytest.mark.parametrize('b_pyramid', ['none', 'normal'])
@pytest.mark.parametrize('name', ['h264.mp4', 'h264.mkv', 'mpeg4.mkv'])
def test_frames_that_nothing_needs_are_left_out(tmp_path, decoded, name, b_pyramid):
    path = tmp_path / name
    options = dict(g='24', bf='3')
    if name.startswith('h264'):
        options |= {'x264-params': f'b-pyramid={b_pyramid}:b-adapt=0:scenecut=0'}
    codec = 'libx264' if name.startswith('h264') else 'mpeg4'
    write_video(path, moving_square(), codec, 'yuv420p', **options)
    expected, prepared = decode_from_the_beginning(path), (60, file_digest(path))
    for wanted in [[i] for i in range(60)] + [[3, 17, 31], [40, 43, 46, 59], range(20, 28)]:
        wanted = list(wanted)
        frames = VideoFile(path, *prepared).get_batch(wanted)
        np.testing.assert_array_equal(frames, expected[wanted])
    del decoded[:]
    VideoFile(path, *prepared).get_batch([20, 21])
    VideoFile(path, 60).get_batch([20, 21])  # it may be damaged: none is left out
    thinned, full = decoded  # one pass each: no check has failed
    assert full == 22 and thinned < 15


@pytest.mark.parametrize('keys', [[], [24]])
def test_a_file_whose_first_frame_is_not_called_a_key_frame(tmp_path, keys):
    path = tmp_path / 'clip.avi'
    write_video(path, moving_square(), 'mpeg4', 'yuv420p', g='12', bf='0')
    video, keys = VideoFile(path), np.array(keys, np.int64)
    video._packets = dataclasses.replace(video._packets, key_times=keys, key_packets=keys)
    expected = decode_from_the_beginning(path)
    for wanted in ([0, 3], [30]):
        np.testing.assert_array_equal(video.get_batch(wanted), expected[wanted])


def test_a_container_that_seeks_badly_is_read_from_the_beginning(compressed, monkeypatch):
    expected = decode_from_the_beginning(compressed)[[40, 41]]
    video = VideoFile(compressed)
    decode, starts = reader.decode, []

    def lose_a_frame_after_seeking(*arguments, **options):
        frames = decode(*arguments, **options)
        first = next(frames)
        starts.append(first.pts)
        if len(starts) > 1:
            yield first
        yield from frames

    monkeypatch.setattr(reader, 'decode', lose_a_frame_after_seeking)
    if not video.can_seek:
        starts.append(None)
    np.testing.assert_array_equal(video.get_batch([40, 41]), expected)
    assert len(starts) == 2


@pytest.mark.parametrize('width', [2, 16, 24, 48, 62, 66, 72, 96, 150, 160])
def test_every_width_decodes_to_its_pixels(tmp_path, width):
    frames = write_raw_video(tmp_path / 'clip.avi', width)
    video = open_video(tmp_path / 'clip.avi')
    np.testing.assert_array_equal(video.get_batch(range(6)), frames)
    assert (video.fps, len(video)) == (25, 6)


def test_one_pixel(tmp_path):
    frames = write_raw_video(tmp_path / 'clip.avi', 1, 1)
    np.testing.assert_array_equal(open_video(tmp_path / 'clip.avi').get_batch(range(6)), frames)


def test_variable_frame_rate_counts_frames_not_time(tmp_path):
    path = tmp_path / 'clip.mkv'
    times = [0, 1, 2, 9, 10, 30, 31, 32, 33, 50]
    write_video(path, moving_square(10), 'mpeg4', 'yuv420p', times, g='4')
    expected = decode_from_the_beginning(path)
    assert len(expected) == len(VideoFile(path)) == 10
    np.testing.assert_array_equal(VideoFile(path).get_batch([5, 8]), expected[[5, 8]])


def test_batches_in_any_order_with_repeats(tmp_path):
    frames = write_raw_video(tmp_path / 'clip.avi', 64)
    order = [4, 0, 4, 5]
    batch = open_video(tmp_path / 'clip.avi').get_batch(order)
    np.testing.assert_array_equal(batch, frames[order])
    assert batch.dtype == np.uint8


def test_frames_come_in_memory_that_is_used_again(tmp_path):
    frames = write_raw_video(tmp_path / 'clip.avi', 64)
    memory, video = np.empty(10 * frames[0].size, np.uint8), open_video(tmp_path / 'clip.avi')

    def allocate(shape):
        return memory[: np.prod(shape)].reshape(shape)

    for order in ([1, 2], [4, 0, 4, 5]):
        batch = video.get_batch(order, allocate=allocate)
        assert batch.base is memory
        np.testing.assert_array_equal(batch, frames[order])


@pytest.mark.parametrize(
    ('indices', 'error', 'words'),
    [
        ([6], VideoError, 'only 6 frames'),
        ([-1], IndexError, 'negative'),
        ([], ValueError, 'no frame index'),
    ],
)
def test_bad_indices(tmp_path, indices, error, words):
    write_raw_video(tmp_path / 'clip.avi', 64)
    with pytest.raises(error, match=words):
        open_video(tmp_path / 'clip.avi').get_batch(indices)


# Damage


def test_truncated_file_counts_what_decodes(tmp_path):
    frames = write_raw_video(tmp_path / 'whole.avi', 64)
    cut = tmp_path / 'cut.avi'
    cut.write_bytes(
        (tmp_path / 'whole.avi').read_bytes()[: (tmp_path / 'whole.avi').stat().st_size // 2]
    )
    count = count_frames(cut)
    assert 0 < count < 6
    np.testing.assert_array_equal(VideoFile(cut).get_batch(range(count)), frames[:count])
    with pytest.raises(VideoError, match=r'cut\.avi.*truncated'):
        VideoFile(cut).get_batch([5])


def test_fewer_frames_than_the_header_says(tmp_path):
    path = tmp_path / 'clip.avi'
    frames = write_raw_video(path, 64)
    data = bytearray(path.read_bytes())
    for name, offset in ((b'avih', 24), (b'strh', 40)):
        place = data.find(name) + offset
        data[place : place + 4] = (2**31 - 1).to_bytes(4, 'little')
    path.write_bytes(data)
    assert len(VideoFile(path)) == 6
    np.testing.assert_array_equal(VideoFile(path).get_batch(range(6)), frames)


def test_a_damaged_frame_ends_the_file_and_is_never_painted_over(tmp_path):
    path = tmp_path / 'clip.avi'
    write_video(path, moving_square(), 'mpeg4', 'yuv420p', g='12', bf='0')
    expected = decode_from_the_beginning(path)
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[30]
    data = bytearray(path.read_bytes())
    data[packet.pos + 12 : packet.pos + packet.size] = bytes(packet.size - 12)
    path.write_bytes(data)
    assert len(VideoFile(path)) == 30
    np.testing.assert_array_equal(VideoFile(path).get_batch([0, 29]), expected[[0, 29]])
    with pytest.raises(VideoError, match='only 30 frames'):
        VideoFile(path).get_batch([45])
    # It was whole when it was prepared: what lies before the damage and behind it is still right.
    known = VideoFile(path, num_frames=60)
    np.testing.assert_array_equal(
        known.get_batch(
            [
                26,
                29,
            ]
        ),
        expected[[26, 29]],
    )
    np.testing.assert_array_equal(known.get_batch([36, 59]), expected[[36, 59]])
    for wanted in ([30], [28, 35]):
        with pytest.raises(VideoError, match='damaged at frame 30'):
            known.get_batch(wanted)


def swap(index: bytearray) -> None:
    index[48:64], index[64:80] = index[64:80], index[48:64]


def lose(index: bytearray) -> None:
    """An entry is another stream's, so that those behind it are counted one less; and one of them
    is no key frame, so that the one before it is found: the right one, with another time.
    """
    index[16 : 16 + 2] = b'07'
    index[4 * 16 + 4] = 0


@pytest.mark.parametrize('damage', [swap, lose])
def test_an_index_that_leads_astray(tmp_path, damage):
    path = tmp_path / 'clip.avi'
    frames = write_raw_video(path, 64)
    data = path.read_bytes()
    begin = data.rfind(b'idx1') + 8
    index = bytearray(data[begin:])
    damage(index)
    path.write_bytes(data[:begin] + index)
    video = VideoFile(path)
    expected = decode_from_the_beginning(path)
    assert video.can_seek and len(video) == 6
    for i in range(6):
        np.testing.assert_array_equal(video.get_batch([i]), expected[[i]])
    np.testing.assert_array_equal(video.get_batch([1, 2]), frames[[1, 2]])


def test_a_file_that_is_not_as_it_was_prepared(tmp_path):
    path = tmp_path / 'clip.avi'
    frames = write_raw_video(path, 64)
    digest = file_digest(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(VideoFile(path, 6, digest).get_batch([3]), frames[[3]])
    with pytest.raises(VideoError, match='it had 7 frames and has 6 now'):
        VideoFile(path, 7)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # one bit of a pixel: the decoder has nothing to complain of
    path.write_bytes(data)
    assert len(VideoFile(path, 6)) == 6
    with pytest.raises(VideoError, match=r'clip\.avi is not as it was prepared: its bytes'):
        VideoFile(path, 6, digest)


def test_a_file_that_is_written_anew_is_examined_anew(tmp_path):
    path = tmp_path / 'clip.avi'
    write_raw_video(path, 64, count=6)
    assert len(VideoFile(path)) == 6
    frames = write_raw_video(path, 48, count=4)
    assert len(VideoFile(path)) == 4
    np.testing.assert_array_equal(VideoFile(path).get_batch(range(4)), frames)


@pytest.mark.parametrize('content', [b'', b'this is not a video' * 50])
@pytest.mark.parametrize('read', [open_video, count_frames])
def test_unreadable_file_is_named(tmp_path, content, read):
    path = tmp_path / 'broken.avi'
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r'broken\.avi') as caught:
        read(path)
    # Data loader workers send errors pickled.
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize('suffix', ['.mp4', '.png', '.txt', ''])
def test_the_content_counts_not_the_extension(tmp_path, suffix):
    frames = write_raw_video(tmp_path / 'clip.avi', 64)
    path = shutil.move(tmp_path / 'clip.avi', tmp_path / f'clip{suffix}')
    np.testing.assert_array_equal(open_video(path).get_batch(range(6)), frames)


@pytest.mark.skipif(os.name != 'posix', reason='other systems have other permissions')
def test_no_permission():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        os.chmod(folder, 0o755)
        path = Path(folder, 'clip.avi')
        write_raw_video(path, 64)
        path.chmod(0)
        user = os.geteuid()
        try:
            if user == 0:  # root may read everything
                os.seteuid(65534)
            with pytest.raises(VideoError, match=r'clip\.avi: not a readable video .*Permission'):
                open_video(path)
            with pytest.raises(VideoError, match=r'clip\.avi: not a readable video .*Permission'):
                file_digest(path)
        finally:
            os.seteuid(user)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.avi'):
        open_video(tmp_path / 'nowhere.avi')


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
    array = ArrayReader(frames, first=10)
    batch = array.get_batch([11, 11])
    np.testing.assert_array_equal(batch, np.repeat(frames[[1, 1]], 3, axis=3))
    batch[:] = 255
    assert frames.max() == 15
    with pytest.raises(IndexError, match='10 to 13'):
        array.get_batch([9])


# Real files


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


def test_kth_videos_read_alike_from_key_frames_and_from_the_beginning(real_data, decoded):
    paths = sorted((real_data / 'kth' / 'videos').iterdir())
    assert len(paths) == 5
    for path in paths:
        expected = decode_from_the_beginning(path)
        video = VideoFile(path, len(expected), file_digest(path))
        count = count_frames(path)
        assert video.can_seek and count == len(expected)
        for wanted in ([0, 7, count // 3], [count // 2, count - 1], [count - 2]):
            del decoded[:]
            np.testing.assert_array_equal(video.get_batch(wanted), expected[wanted])
            assert len(decoded) == 1
