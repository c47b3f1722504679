"""Every kind of video is read alike by training and by streaming, and as it is."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.filter import Graph

from bdq_plugin.video.isolation import IsolatedVideo
from bdq_plugin.video.pixels import luma_of_rgb
from bdq_plugin.video.reader import VideoFile, count_frames, file_digest
from bdq_plugin.video.source import VideoSource
from tools.stress.video_kinds import COUNT, HEIGHT, KINDS, VARIABLE_TIMES, WIDTH, write_kinds


class Truth(NamedTuple):
    """What is right for a kind: known from how it was made, not from reading it."""

    count: int = COUNT
    stream: int = 0
    upright: Callable[[np.ndarray], np.ndarray] = np.asarray
    times_ms: list[int] | None = None


TRUTH = {
    'joined.ts': Truth(2 * COUNT),
    'jumping.ts': Truth(3 * COUNT),
    'begun_between_keys.ts': Truth(12),
    'rotated_90.mp4': Truth(upright=lambda frame: np.rot90(frame, 1)),
    'rotated_180.mp4': Truth(upright=lambda frame: np.rot90(frame, 2)),
    'rotated_270.mov': Truth(upright=lambda frame: np.rot90(frame, 3)),
    'mirrored.mp4': Truth(upright=lambda frame: frame.swapaxes(0, 1)),
    'turned_in_band.ts': Truth(upright=lambda frame: np.rot90(frame, 1)),
    'trimmed.mp4': Truth(17),
    'preview_first.mp4': Truth(stream=1),
    **{name: Truth(times_ms=VARIABLE_TIMES) for name in KINDS if name.startswith('variable')},
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('kinds')


def decode_as_documented(path: Path, truth: Truth) -> np.ndarray:
    """All frames as ``ffmpeg -pix_fmt rgb24`` gives them, turned as the kind is known to be."""
    with av.open(str(path)) as container:
        stream = container.streams[truth.stream]
        stream.codec_context.thread_count = 1
        graph = Graph()
        nodes = graph.add_buffer(template=stream), graph.add('format', 'rgb24')
        graph.link_nodes(*nodes, graph.add('buffersink')).configure()
        frames = []
        for frame in container.decode(stream):
            graph.push(frame)
            frames.append(truth.upright(graph.pull().to_ndarray()))
    return np.stack(frames)


@pytest.mark.skipif(not shutil.which('ffmpeg'), reason='no ffmpeg command')
@pytest.mark.parametrize('name', sorted(set(KINDS) - set(TRUTH)))
def test_pixels_are_those_of_the_ffmpeg_command(folder, tmp_path, name):
    (path,) = write_kinds(folder, [name])
    raw = tmp_path / 'raw'
    command = ['ffmpeg', '-v', 'error', '-i', path, '-fps_mode', 'passthrough']
    subprocess.run([*command, '-f', 'rawvideo', '-pix_fmt', 'rgb24', raw], check=True)
    found = VideoFile(path).get_batch(range(len(VideoFile(path))))
    told = np.fromfile(raw, np.uint8)
    np.testing.assert_array_equal(found.ravel(), told)


@pytest.mark.parametrize('name', KINDS)
def test_training_and_streaming_read_alike(folder, name):
    (path,) = write_kinds(folder, [name])
    truth = TRUTH.get(name, Truth())
    expected = decode_as_documented(path, truth)
    assert len(expected) == truth.count
    with VideoSource(path, grey=False) as source:
        times, streamed = zip(*source, strict=True)
    np.testing.assert_array_equal(streamed, expected)
    assert list(times) == (truth.times_ms or [40 * i for i in range(truth.count)])
    video = VideoFile(path)
    assert len(video) == count_frames(path) == truth.count
    np.testing.assert_array_equal(video.get_batch(range(len(video))), expected)

    grey = video.get_batch(range(len(video)), grey=True)
    np.testing.assert_array_equal(grey[..., 0], luma_of_rgb(expected))
    with VideoSource(path, grey=True) as source:
        np.testing.assert_array_equal([frame.pixels for frame in source], grey[..., 0])


@pytest.mark.parametrize('name', KINDS)
def test_frames_come_in_any_order(folder, name):
    (path,) = write_kinds(folder, [name])
    truth = TRUTH.get(name, Truth())
    expected = decode_as_documented(path, truth)
    prepared = (truth.count, file_digest(path))
    rng = random.Random(0)
    for video in (VideoFile(path), VideoFile(path, *prepared)):
        for first in range(truth.count):
            wanted = [first, *rng.sample(range(truth.count), 2)]
            np.testing.assert_array_equal(video.get_batch(wanted), expected[wanted])
    isolated = IsolatedVideo(path, *prepared)
    for grey in (False, True):
        frames = isolated.get_batch(wanted, grey=grey)
        np.testing.assert_array_equal(frames, video.get_batch(wanted, grey=grey))


@pytest.mark.parametrize('suffix', ['.png', '.m3u8'])
def test_what_is_inside_counts_and_not_the_name(folder, tmp_path, suffix):
    """FFmpeg recognises MPEG-PS with less certainty than it has in the end of a name."""
    (path,) = write_kinds(folder, ['interlaced.mpg'])
    renamed = (tmp_path / 'video').with_suffix(suffix)
    renamed.write_bytes(path.read_bytes())
    expected = decode_as_documented(path, Truth())
    video = VideoFile(renamed)
    np.testing.assert_array_equal(video.get_batch(range(len(video))), expected)
    with VideoSource(renamed, grey=False) as source:
        np.testing.assert_array_equal([frame.pixels for frame in source], expected)


def test_the_kinds_are_what_they_are_called(folder):
    """A kind without its peculiarity would prove nothing."""
    paths = dict(zip(KINDS, write_kinds(folder), strict=True))
    coded = decode_as_documented(paths['rotated_180.mp4'], Truth())
    for name in ('rotated_90.mp4', 'rotated_270.mov', 'mirrored.mp4'):
        # Coded alike: the turn stands beside the pictures.
        np.testing.assert_array_equal(decode_as_documented(paths[name], Truth()), coded)
        turned = decode_as_documented(paths[name], TRUTH[name])
        assert turned.shape == (COUNT, WIDTH, HEIGHT, 3)

    def packets(name: str) -> list[av.Packet]:
        with av.open(str(paths[name])) as container:
            container.flags &= ~av.container.Flags.gen_pts.value
            return [packet for packet in container.demux(video=0) if packet.size]

    for name in ('b_frames.avi', 'b_frames_h264.avi', 'packed.avi'):
        assert None in [packet.pts for packet in packets(name)]
    sizes = [packet.size for packet in packets('packed.avi')]
    assert len(sizes) == COUNT and min(sizes) < 10, 'no chunk that repeats a picture'
    assert sum(packet.is_discard for packet in packets('trimmed.mp4')) == 7
    for name, restarts in (('joined.ts', 1), ('jumping.ts', 1)):
        stored = [packet.dts for packet in packets(name)]
        assert sum(a >= b for a, b in pairwise(stored)) == restarts
    assert not packets('begun_between_keys.ts')[0].is_keyframe
    with av.open(str(paths['interlaced.ts'])) as container:
        assert next(container.decode(video=0)).interlaced_frame
    with av.open(str(paths['cover.mp4'])) as container:
        assert [stream.codec_context.width for stream in container.streams.video] == [64, 160]
    with av.open(str(paths['counted_wrong.avi'])) as container:
        assert container.streams.video[0].frames == 200
