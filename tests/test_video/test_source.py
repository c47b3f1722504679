"""Sources: files, addresses and cameras, frame by frame."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import resource
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.video.container import VideoError
from bdq_plugin.video.reader import open_video
from bdq_plugin.video.source import SourceError, VideoSource, is_camera, is_url, open_source
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.rtsp_server import RTSPServer, decode_h264, encode_h264
from tests.test_video.videos import write_raw_video
from tools.stress.video_kinds import add_stream, encode, join, packets_of, pictures


def read(path, **options) -> tuple[list[int], np.ndarray]:
    with VideoSource(path, **options) as source:
        times, pixels = zip(*source, strict=True)
    return list(times), np.stack(pixels)


@pytest.fixture
def serve():
    """Serve a folder by HTTP on this machine; optionally cut each answer after some bytes."""
    servers = []

    def start(folder: Path, cut: int | None = None) -> str:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def copyfile(self, source, outputfile):
                if cut is None:
                    return super().copyfile(source, outputfile)
                outputfile.write(source.read(cut))
                outputfile.flush()
                self.close_connection = True

        handler = functools.partial(Handler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{server.server_port}'

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_frames_and_times(make_video, frames):
    times, pixels = read(make_video(frames))
    assert times == [40 * i for i in range(12)]
    assert np.array_equal(pixels, frames)


def test_variable_frame_rate_keeps_relative_times(make_video, frames):
    times_ms = [1000 + t for t in (0, 10, 20, 120, 121, 500, 540, 580, 620, 3000, 3033, 3066)]
    times, _ = read(make_video(frames, times_ms=times_ms))
    assert times == [t - 1000 for t in times_ms]


def test_rate_of_a_stream_without_a_container(tmp_path):
    with av.open(str(tmp_path / 'video.h264'), 'w') as output:
        stream = output.add_stream('libx264', rate=Fraction(25, 2))
        stream.height, stream.width = 48, 64
        for pixels in pictures(6):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        output.mux(stream.encode())
    times, _ = read(tmp_path / 'video.h264')
    assert times == [80 * i for i in range(6)]
    video = open_video(tmp_path / 'video.h264')
    assert video.fps == 12.5 and video.times_ms() == times


def test_ten_bit_and_grey_sources_become_eight_bit(make_video, frames):
    _, pixels = read(make_video(frames, 'ten.mkv', pix_fmt='yuv444p10le'))
    assert pixels.dtype == np.uint8 and pixels.shape == frames.shape
    assert np.abs(pixels.astype(int) - frames).mean() < 3  # its chroma is filtered
    _, pixels = read(make_video(frames[..., 0], 'ten_grey.mkv', pix_fmt='gray10le'))
    assert pixels.shape == frames.shape[:3] and pixels.dtype == np.uint8
    _, pixels = read(make_video(frames[..., 0], 'grey.mkv', pix_fmt='gray'))
    assert np.array_equal(pixels, frames[..., 0])
    _, pixels = read(make_video(frames, 'colour.mkv'), grey=True)
    assert pixels.shape == frames.shape[:3]


def test_raw_ixmas_files(real_data):
    paths = sorted((real_data / 'ixmas' / 'original_samples').glob('*.avi'))
    assert len(paths) == 3
    for path in paths:
        _, pixels = read(path)
        assert pixels.shape[1:] == (64, 48, 3)
        assert (pixels[..., 0] == pixels[..., 1]).all(), 'the files hold grey in colour'


def test_a_cut_file_breaks_off_after_what_it_holds(real_data, tmp_path):
    whole = (real_data / 'kth' / 'videos' / 'person01_jogging_d1_uncomp.avi').read_bytes()
    path = tmp_path / 'cut.avi'
    path.write_bytes(whole[: len(whole) // 2])
    given = []
    with (
        pytest.raises(SourceError, match=r'cut\.avi: breaks off after \d+ ') as error,
        VideoSource(path) as source,
    ):
        for frame in source:
            given.append(frame)
    assert f'after {len(given)} ' in str(error.value) and 100 < len(given) < 415


def test_a_stream_that_changes_its_size(make_video, frames, tmp_path):
    small = make_video(frames[:, :36, :50], 'a.ts', codec='libx264', pix_fmt='yuv420p')
    large = make_video(
        np.zeros((8, 64, 96, 3), np.uint8), 'b.ts', codec='libx264', pix_fmt='yuv420p'
    )
    path = tmp_path / 'both.ts'
    path.write_bytes(small.read_bytes() + large.read_bytes())
    count = 0
    with (
        pytest.raises(SourceError, match='changes from 50 x 36 to 96 x 64 after'),
        VideoSource(path) as source,
    ):
        for _ in source:
            count += 1
    assert count >= 10


def test_what_is_no_video(tmp_path, make_video, frames):
    with pytest.raises(FileNotFoundError, match=r'nothing\.mp4'):
        VideoSource(tmp_path / 'nothing.mp4')
    (tmp_path / 'text.mp4').write_text('text')
    with pytest.raises(SourceError, match=r'text\.mp4: not a readable video'):
        VideoSource(tmp_path / 'text.mp4')
    with av.open(str(tmp_path / 'sound.wav'), 'w') as container:
        audio = container.add_stream('pcm_s16le', rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout='mono')
        sound.sample_rate = 8000
        container.mux(audio.encode(sound))
    with pytest.raises(SourceError, match='no video'):
        VideoSource(tmp_path / 'sound.wav')


def test_sound_with_a_cover_is_no_video(tmp_path):
    path = tmp_path / 'song.m4a'
    with av.open(str(path), 'w', format='mp4') as container:
        audio = container.add_stream('aac', rate=16000)
        cover = add_stream(container, 'mjpeg', 'yuvj420p', (160, 160))
        cover.disposition = av.stream.Disposition.attached_pic
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        sound.sample_rate, sound.pts = 16000, 0
        for packet in packets_of(cover, pictures(1, 160, 160), [0]) + audio.encode(sound):
            container.mux(packet)
    for read_it in (VideoSource, open_video):
        with pytest.raises(VideoError, match=r'song\.m4a: it has no video stream, only a picture'):
            read_it(path)


@pytest.mark.parametrize(
    'text',
    [
        "ffconcat version 1.0\nfile '{secret}'\n",
        '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2.0,\n{secret}\n#EXT-X-ENDLIST\n',
        'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n'
        'a=rtpmap:96 H264/90000\n',
    ],
    ids=['concat', 'hls', 'sdp'],
)
@pytest.mark.parametrize('name', ['clip.mp4', 'clip.avi', 'list.m3u8'])
def test_a_playlist_is_not_a_video(tmp_path, text, name):
    write_raw_video(tmp_path / 'secret.avi', 64)
    playlist = tmp_path / name
    playlist.write_text(text.format(secret=tmp_path / 'secret.avi'))
    for read_it in (VideoSource, open_video):
        with pytest.raises(VideoError, match=rf'{name}: not a readable video'):
            read_it(playlist)


def test_names_with_colons_and_others_that_are_no_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('2024-01-01T10:20:30.avi', 'file:x.avi', 'concat:a|b.avi', 'a%03d.avi', ' b .avi'):
        frames = write_raw_video(tmp_path / 'clip.avi', 64)
        Path('clip.avi').rename(name)
        _, pixels = read(name, grey=False)
        np.testing.assert_array_equal(pixels, frames)
        np.testing.assert_array_equal(open_video(name).get_batch(range(6)), frames)


def test_a_stream_that_appears_on_the_way_is_another_one(tmp_path):
    """Recordings of two cameras joined: the second is a programme of its own."""
    numbers = {'mpegts_service_id': '7', 'mpegts_pmt_start_pid': '5000', 'mpegts_start_pid': '300'}
    parts = [
        encode(tmp_path / f'{i}.ts', 'libx264', g='12', bf='2', container=options)
        for i, options in enumerate(({}, numbers))
    ]
    _, expected = read(parts[0])
    joined = join(tmp_path / 'joined.ts', *parts)
    _, pixels = read(joined)
    np.testing.assert_array_equal(pixels, expected)
    video = open_video(joined)
    np.testing.assert_array_equal(video.get_batch(range(len(video))), expected)


@pytest.mark.parametrize('side', [2**14, 2**15, 2**31 - 1])
def test_what_a_header_claims_takes_no_memory(tmp_path, side):
    path = encode(tmp_path / 'clip.avi', 'mpeg4', g='12')
    data = bytearray(path.read_bytes())
    size = side.to_bytes(4, 'little') * 2
    for name, offset in ((b'avih', 40), (b'strf', 12)):
        place = data.index(name) + offset
        data[place : place + 8] = size
    path.write_bytes(data)
    # The decoder finds another size in the stream itself, and reads that; or nothing is read.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read_it in (read, lambda path: open_video(path).get_batch([0])):
        with contextlib.suppress(VideoError):
            read_it(path)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < 300_000, 'kB'


def test_damage_inside_a_lossless_video_is_noticed_by_both(tmp_path):
    path = encode(tmp_path / 'clip.mkv', 'ffv1', 'bgr0', slicecrc='1', level='3', g='1')
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][10]
    data = bytearray(path.read_bytes())
    place = packet.pos + packet.size // 2
    data[place : place + 30] = bytes(byte ^ 0xFF for byte in data[place : place + 30])
    path.write_bytes(data)
    assert len(open_video(path)) == 10
    os.utime(path, (0, 0))  # examined anew, and noticed anew
    assert len(open_video(path)) == 10
    given = []
    with (
        pytest.raises(SourceError, match='breaks off after 10 frames'),
        VideoSource(path) as source,
    ):
        for frame in source:
            given.append(frame.pixels)
    np.testing.assert_array_equal(given, open_video(path).get_batch(range(10)))


def test_kinds_of_sources(tmp_path, monkeypatch):
    assert is_url('rtsp://host/1') and is_url('HTTP://host') and not is_url('a/b.mp4')
    assert is_camera('0') and not is_camera('0.mp4') and not is_camera('-1')
    with pytest.raises(SourceError, match='camera 99: does not open'):
        open_source('99')


def test_http_stream(serve, real_data):
    folder = real_data / 'kth' / 'videos'
    address = serve(folder)
    name = 'person01_jogging_d1_uncomp.avi'
    times, pixels = read(f'{address}/{name}', timeout=60)
    local_times, local = read(folder / name)
    assert times == local_times and np.array_equal(pixels, local)


def test_http_stream_that_breaks_off(serve, real_data):
    address = serve(real_data / 'kth' / 'videos', cut=600_000)
    count = 0
    with (
        pytest.raises(SourceError, match='breaks off after'),
        VideoSource(f'{address}/person01_jogging_d1_uncomp.avi', timeout=60) as source,
    ):
        for _ in source:
            count += 1
    assert count > 20


@pytest.fixture
def camera():
    """Start RTSP servers of 30 frames; gives the address, and the frames that arrive."""
    servers, packets = [], encode_h264(moving_frames(30, 48, 64))

    def start(**options) -> tuple[str, np.ndarray]:
        servers.append(RTSPServer(packets, **options))
        return servers[-1].url, decode_h264(packets)

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ('options', 'timeout', 'count', 'message'),
    [
        (dict(), 60, 30, 'ends after 30 frames'),
        (dict(die_after=20), 60, 20, 'ends after 20 frames'),
        (dict(hang_after=20), 3, 20, r'after 20 frames \(nothing came before the timeout\)'),
    ],
    ids=['goodbye', 'dies', 'hangs'],
)
def test_rtsp_stream(camera, options, timeout, count, message):
    url, sent = camera(**options)
    given = []
    with pytest.raises(SourceError, match=message), VideoSource(url, timeout=timeout) as source:
        assert source.live and source.num_frames == 0 and source.frame_rate == 25
        for frame in source:
            given.append(frame)
    assert [frame.time_ms for frame in given] == [40 * i for i in range(count)]
    assert np.array_equal([frame.pixels for frame in given], sent[:count])


def test_http_camera_of_jpegs_that_dies(frames):
    """The stream that plain network cameras send has no length: its end is no end of a file."""
    codec = av.CodecContext.create('mjpeg', 'w')
    codec.height, codec.width, codec.pix_fmt = 36, 50, 'yuvj420p'
    codec.time_base = Fraction(1, 25)
    jpegs = []
    for i, pixels in enumerate(frames[:, :36, :50]):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels)).reformat(
            format='yuvj420p'
        )
        picture.pts = i
        jpegs += [bytes(packet) for packet in codec.encode(picture)]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=part')
            self.end_headers()
            for jpeg in jpegs:
                head = f'--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n'
                self.wfile.write(f'{head}\r\n'.encode() + jpeg + b'\r\n')

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given = []
    try:
        with (
            pytest.raises(SourceError, match='breaks off after 12 frames'),
            VideoSource(f'http://127.0.0.1:{server.server_port}/', timeout=60) as source,
        ):
            for frame in source:
                given.append(frame)
    finally:
        server.shutdown()
        server.server_close()
    assert np.abs(given[5].pixels.astype(int) - frames[5, :36, :50]).mean() < 12


def test_nobody_answers_and_no_password_is_shown():
    with pytest.raises(SourceError, match='cannot be opened') as error:
        VideoSource('http://user:hunter2@127.0.0.1:9/video.mp4', timeout=1)
    assert 'hunter2' not in str(error.value) and '127.0.0.1:9/video.mp4' in str(error.value)
