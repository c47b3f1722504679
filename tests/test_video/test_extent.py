"""A cut file is told from a whole one by what its container says, not by a number of frames."""

from __future__ import annotations

import av
import pytest

from bdq_plugin.video.extent import missing_bytes
from bdq_plugin.video.source import SourceError, VideoSource
from tools.stress.video_kinds import COUNT, encode

MAKE = {
    'clip.avi': dict(codec='mpeg4', g='12'),
    'faststart.mp4': dict(codec='libx264', g='12', container={'movflags': '+faststart'}),
    'fragments.mp4': dict(
        codec='libx264', g='6', container={'movflags': '+frag_keyframe+empty_moov'}
    ),
    'clip.mkv': dict(codec='libx264', g='12', container={'cluster_time_limit': '200'}),
}


def read(path) -> int:
    count = 0
    with VideoSource(path) as source:
        for _ in source:
            count += 1
    return count


@pytest.mark.parametrize(
    ('name', 'index'),
    [
        ('clip.avi', b'idx1'),
        ('faststart.mp4', b''),
        ('fragments.mp4', b''),
        ('clip.mkv', b'\x1c\x53\xbb\x6b'),
    ],
)
def test_where_frames_are_missing(tmp_path, name, index):
    path = encode(tmp_path / name, **MAKE[name])
    data = path.read_bytes()
    assert missing_bytes(path) == 0 and read(path) == COUNT
    with av.open(str(path)) as container:
        first, *_, last = [packet.pos for packet in container.demux(video=0) if packet.size]
    for end in (last + 4, (first + last) // 2, first + 9):
        path.write_bytes(data[:end])
        assert missing_bytes(path) > 0
        with pytest.raises(SourceError, match=rf'{name}: breaks off after .*the file is cut'):
            read(path)
    # An index alone is missing.
    path.write_bytes(data[: data.rindex(index) + 5])
    assert missing_bytes(path) == 0 and read(path) == COUNT


@pytest.mark.parametrize('name', MAKE)
def test_more_than_a_video(tmp_path, name):
    path = encode(tmp_path / name, **MAKE[name])
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert missing_bytes(path) == 0 and read(path) == COUNT


@pytest.mark.parametrize('size', [b'', b'R', b'RIFF', b'RIFF\0\0\0\0AVI ', b'\x1a\x45\xdf\xa3'])
def test_what_has_no_parts(tmp_path, size):
    path = tmp_path / 'x'
    for rest in (b'', b'\0' * 50, b'\xff' * 50):
        path.write_bytes(size + rest)
        assert missing_bytes(path) >= 0


def test_a_writer_that_was_stopped_has_left_no_sizes(tmp_path):
    path = encode(tmp_path / 'clip.avi', 'mpeg4', g='12')
    data = bytearray(path.read_bytes())
    for name, place in ((b'RIFF', 4), (b'movi', -4)):
        place += data.index(name)
        data[place : place + 4] = bytes(4)
    path.write_bytes(data[: len(data) // 2])
    assert missing_bytes(path) == 0
