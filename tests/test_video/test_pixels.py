"""Pixels: matrix and range as FFmpeg documents them, one grey, and the picture upright."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bdq_plugin.datasets import ToGray
from bdq_plugin.video.pixels import luma_of_rgb
from bdq_plugin.video.reader import ArrayReader, VideoFile
from bdq_plugin.video.source import VideoSource
from tests.test_video.videos import write_video
from tools.stress.video_kinds import encode, pictures

# Kr and Kb of ITU-R BT.601, BT.709 and BT.2020, and FFmpeg's numbers of them.
MATRICES = {'601': (0.299, 0.114, 6), '709': (0.2126, 0.0722, 1), '2020': (0.2627, 0.0593, 9)}
LIMITED, FULL = 1, 2


def write_planes(path: Path, pix_fmt: str, matrix: str | None, full: bool) -> np.ndarray:
    """A video of one frame of known Y, U and V, lossless; gives them, each (48, 64)."""
    depth = 10 if '10' in pix_fmt else 8
    y, x = np.meshgrid(np.arange(48), np.arange(64), indexing='ij')
    planes = [30 + 3 * x, 90 + 8 * (x // 8), 80 + 10 * (y // 8)]
    step_x, step_y = (2, 2) if '420' in pix_fmt else (2, 1) if '422' in pix_fmt else (1, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        frame = av.VideoFrame(64, 48, pix_fmt)
        frame.color_range = FULL if full else LIMITED
        if matrix is not None:
            frame.colorspace = stream.codec_context.colorspace = MATRICES[matrix][2]
        stream.codec_context.color_range = frame.color_range
        for i, (plane, values) in enumerate(zip(frame.planes, planes, strict=True)):
            values = values[::step_y, ::step_x] if i else values
            dtype = np.uint8 if depth == 8 else np.uint16
            rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype().itemsize)
            rows[: values.shape[0], : values.shape[1]] = values << (depth - 8)
        for packet in stream.encode(frame) + stream.encode():
            container.mux(packet)
    return np.stack(planes).astype(float)


def rgb_of(planes: np.ndarray, matrix: str, full: bool) -> np.ndarray:
    """The definition, in floating point: (48, 64, 3)."""
    red, blue, _ = MATRICES[matrix]
    luma, cb, cr = planes
    if not full:
        luma, cb, cr = (luma - 16) * 255 / 219, (cb - 128) * 255 / 224, (cr - 128) * 255 / 224
    else:
        cb, cr = cb - 128, cr - 128
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.stack([r, g, b], axis=-1).clip(0, 255)


@pytest.mark.parametrize('full', [False, True], ids=['limited', 'full'])
@pytest.mark.parametrize('matrix', [None, '601', '709', '2020'])
@pytest.mark.parametrize('pix_fmt', ['yuv420p', 'yuv422p', 'yuv444p', 'yuv444p10le'])
def test_matrix_and_range_are_the_files_own(tmp_path, pix_fmt, matrix, full):
    planes = write_planes(tmp_path / 'clip.mkv', pix_fmt, matrix, full)
    expected = rgb_of(planes, matrix or '601', full)
    video = VideoFile(tmp_path / 'clip.mkv')
    rgb, grey = video.get_batch([0])[0], video.get_batch([0], grey=True)[0, ..., 0]
    inner = np.s_[8:-8, 8:-8] if pix_fmt != 'yuv444p' else np.s_[:]
    away = np.abs(rgb - expected)[inner]
    # Where a patch of chroma ends, some of FFmpeg's paths blend it with the next one.
    assert np.median(away) <= 1.5 and np.quantile(away, 0.7) <= 3
    weights = 0.299, 0.587, 0.114
    assert np.median(np.abs(grey - expected @ weights)[inner]) <= 1.5
    with VideoSource(tmp_path / 'clip.mkv', grey=True) as source:
        (frame,) = source
    np.testing.assert_array_equal(frame.pixels, grey)


def test_luma_is_opencvs_for_every_colour():
    levels = np.arange(256, dtype=np.uint8)
    for red in range(0, 256, 15):
        rgb = np.stack(np.broadcast_arrays(red, levels[:, None], levels), -1).astype(np.uint8)
        luma = luma_of_rgb(rgb)
        whole = rgb.astype(np.int64) @ [9798, 19235, 3735]
        np.testing.assert_array_equal(luma, (whole + 2**14) >> 15)
        np.testing.assert_array_equal(luma, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        grey = np.repeat(levels[:, None, None], 3, axis=2)
        np.testing.assert_array_equal(luma_of_rgb(grey), levels[:, None])


@pytest.mark.parametrize('colour', [None, dict(colorspace=1, color_range=1)], ids=['601', '709'])
def test_there_is_one_grey(tmp_path, colour):
    """The encoder's at a camera, training's, the cache's, and that of frames decoded in colour."""
    path = tmp_path / 'clip.mp4'
    encode(path, 'libx264', g='12', colour=colour)
    video, indices = VideoFile(path), [0, 7, 20]
    rgb, grey = video.get_batch(indices), video.get_batch(indices, grey=True)
    assert grey.shape == (3, 48, 64, 1)
    with VideoSource(path, grey=True) as source:
        streamed = np.stack([frame.pixels for frame in source])
    np.testing.assert_array_equal(streamed[indices], grey[..., 0])
    np.testing.assert_array_equal(ArrayReader(rgb).get_batch(range(3), grey=True), grey)
    np.testing.assert_array_equal(ToGray()(dict(imgs=list(rgb)))['imgs'], grey)
    np.testing.assert_array_equal(grey[..., 0], luma_of_rgb(rgb))


@pytest.mark.parametrize(
    ('pix_fmt', 'codec', 'name'),
    [
        ('yuv420p', 'mpeg4', 'clip.avi'),
        ('yuvj420p', 'mjpeg', 'clip.avi'),
        ('yuv444p', 'libx264', 'clip.mp4'),
        ('bgr24', 'rawvideo', 'clip.avi'),
        ('gray', 'ffv1', 'clip.mkv'),
    ],
)
@pytest.mark.parametrize('size', [(64, 48), (65, 33), (8, 8)])
def test_grey_is_what_the_channels_of_a_grey_video_are(tmp_path, pix_fmt, codec, name, size):
    ramp = np.arange(256, dtype=np.uint8)
    frames = [np.roll(np.resize(ramp, size[::-1]), 9 * i) for i in range(4)]
    frames = np.repeat(np.stack(frames)[..., None], 3, axis=3)
    if codec in ('mpeg4', 'mjpeg'):
        frames = frames[:, : size[1] // 2 * 2, : size[0] // 2 * 2]
    write_video(tmp_path / name, frames, codec, pix_fmt)
    video = VideoFile(tmp_path / name)
    rgb, grey = video.get_batch([1, 3, 0]), video.get_batch([1, 3, 0], grey=True)
    assert grey.shape == (*rgb.shape[:3], 1)
    if (rgb == rgb[..., :1]).all():
        np.testing.assert_array_equal(grey, rgb[..., :1])
    else:  # FFmpeg's conversion to RGB gives some grey frames a little colour
        assert abs(grey.astype(int) - rgb).max() <= 2
    if codec in ('ffv1', 'rawvideo'):
        np.testing.assert_array_equal(grey, frames[[1, 3, 0], ..., :1])


# The matrix of each turn, and what it makes of a picture.
TURNS = {
    'upright': ((1, 0, 0, 1), lambda p: p),
    '90': ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    '180': ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    '270': ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    'mirrored': ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    'upside down': ((1, 0, 0, -1), lambda p: p[::-1]),
    'mirrored and 90': ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    'mirrored and 270': ((0, -1, -1, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
    'nearly 90': ((0.02, 1, -1, 0.02), lambda p: np.rot90(p, -1)),
}


@pytest.mark.parametrize('turn', TURNS)
def test_pictures_come_upright(tmp_path, turn):
    path = encode(tmp_path / 'phone.mp4', 'libx264', frames=pictures(3))
    with av.open(str(path)) as container:
        coded = next(container.decode(video=0)).to_ndarray(format='rgb24')
    matrix, turned = TURNS[turn]
    a, b, c, d = (round(65536 * value) for value in matrix)
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 44
    data[place : place + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    np.testing.assert_array_equal(VideoFile(path).get_batch([0])[0], turned(coded))
    for grey in (False, True):
        with VideoSource(path, grey=grey) as source:
            pixels = next(iter(source)).pixels
        expected = turned(luma_of_rgb(coded) if grey else coded)
        np.testing.assert_array_equal(pixels, expected)
        assert pixels.flags.c_contiguous
