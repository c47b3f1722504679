"""Codes to addresses and streams, and cameras that come and go: as a home has them."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest

from bdq_plugin.deploy import PackedReader, StreamingEncoder, encode_clip, encoding
from bdq_plugin.deploy.codes_video import CodesVideoWriter
from bdq_plugin.deploy.encoding import check_outputs, encode_stream
from bdq_plugin.deploy.pacing import Pacer
from bdq_plugin.deploy.sinks import waits
from bdq_plugin.video.reconnecting import ReconnectingSource
from bdq_plugin.video.source import VideoSource
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.rtsp_server import RTSPServer, decode_h264, encode_h264
from tools import encode_video

GST_PYTHON = '/usr/bin/python3'
GST_SERVER = Path(__file__).with_name('gst_server.py')


def shown_in(data: bytes, kind: str) -> np.ndarray:
    """The RGB pictures of a stream, (T, H, W, 3)."""
    with av.open(io.BytesIO(data), format=kind) as container:
        pictures = [f.reformat(format='rgb24').to_ndarray() for f in container.decode(video=0)]
    return np.stack(pictures)


def assert_shows(pictures: np.ndarray, codes: np.ndarray, clear: np.ndarray) -> None:
    """The pictures are those of the codes, and not of the clear frames."""
    assert pictures.shape == codes.shape
    shades = 17 * codes.astype(int)
    assert np.abs(pictures.astype(int) - shades).mean() < 12
    assert np.abs(pictures.astype(int) - clear.astype(int)).mean() > 30


# ---------------------------------------------------------------- JPEGs
def test_a_jpeg_a_frame(tmp_path, make_video, frames, encoder_file):
    clip = frames[:, :36, :50]
    file = tmp_path / 'x.mjpeg'
    command = [sys.executable, encode_video.__file__, encoder_file, make_video(clip), '-', file]
    done = subprocess.run([*map(str, command), '--codec', 'mjpeg'], capture_output=True, check=True)
    # As go2rtc tells MJPEG: by its first two bytes.
    assert done.stdout[:2] == b'\xff\xd8' and done.stdout == file.read_bytes()
    assert done.stdout.count(b'\xff\xd8\xff') == len(clip) - 1
    assert_shows(shown_in(done.stdout, 'mjpeg'), encode_clip(encoder_file, clip), clip[1:])


# ---------------------------------------------------------------- packed codes
def test_packed_codes_as_a_stream(tmp_path, make_video, frames, encoder_file, capsys):
    """What leaves is the very file, on standard output and at an address."""
    video, file = make_video(frames), tmp_path / 'x.bdq'
    listener = Listener('tcp')
    command = [sys.executable, encode_video.__file__, encoder_file, video, '-', file, listener.url]
    done = subprocess.run([*map(str, command), '--codec', 'bdq'], capture_output=True, check=True)
    assert done.stdout == file.read_bytes() == listener.everything()
    reader = PackedReader(file)
    assert np.array_equal(reader.read(), encode_clip(encoder_file, frames)) and reader.complete
    assert f'-: {len(done.stdout):,} bytes' in done.stderr.decode()
    for url in ('rtsp://127.0.0.1/x', 'udp://127.0.0.1:9'):
        assert encode_video.main([str(encoder_file), str(video), url, '--codec', 'bdq']) == 1
        assert 'packed codes go to standard output' in capsys.readouterr().err


# ---------------------------------------------------------------- addresses
class Listener:
    """Takes what is sent to an address of this machine, until the sender hangs up."""

    def __init__(self, scheme: str) -> None:
        self.data = b''
        if scheme == 'http':
            listener = self

            class Handler(BaseHTTPRequestHandler):
                protocol_version = 'HTTP/1.1'

                def do_POST(self) -> None:
                    while size := int(self.rfile.readline(), 16):
                        listener.data += self.rfile.read(size)
                        self.rfile.readline()
                    self.send_response(200)
                    self.end_headers()

                def log_message(self, *arguments: object) -> None:
                    pass

            server = HTTPServer(('127.0.0.1', 0), Handler)
            self.port, work = server.server_address[1], server.handle_request
        else:
            kind = socket.SOCK_DGRAM if scheme == 'udp' else socket.SOCK_STREAM
            server = socket.socket(type=kind)
            server.bind(('127.0.0.1', 0))
            self.port = server.getsockname()[1]
            if scheme == 'tcp':
                server.listen()
            work = lambda: self.receive(server)  # noqa: E731
        self.url = f'{scheme}://127.0.0.1:{self.port}'
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def receive(self, server: socket.socket) -> None:
        if server.type == socket.SOCK_STREAM:
            server, _ = server.accept()
        while data := server.recv(1 << 16):
            self.data += data

    def everything(self) -> bytes:
        """What has come, once its sender has ended."""
        if self.url.startswith('udp'):
            with socket.socket(type=socket.SOCK_DGRAM) as last:
                last.sendto(b'', ('127.0.0.1', self.port))  # no datagram says that it is the last
        self._thread.join(60)
        return self.data


@pytest.mark.parametrize('scheme', ['tcp', 'udp', 'http'])
def test_codes_are_sent_to_an_address(make_video, frames, encoder_file, scheme, capsys):
    clip = frames[:, :36, :50]
    listener = Listener(scheme)
    address = listener.url.replace('//', '//me:secret@') if scheme == 'http' else listener.url
    assert encode_video.main([str(encoder_file), str(make_video(clip)), address]) == 0
    pictures = shown_in(listener.everything(), 'mpegts')
    assert_shows(pictures, encode_clip(encoder_file, clip), clip[1:])
    printed = ''.join(capsys.readouterr())
    assert f'127.0.0.1:{listener.port}' in printed and 'secret' not in printed


def test_a_file_is_paced_where_nobody_waits(tmp_path, make_video, encoder_file, monkeypatch):
    """Frames leave no sooner than at their own times; with a stop, at once."""
    times = [0, 300, 340, 380, 900, 940]
    video = make_video(moving_frames(6, 36, 50), times_ms=times)
    listener = Listener('udp')
    begin = time.monotonic()
    assert encode_video.main([str(encoder_file), str(video), listener.url]) == 0
    assert time.monotonic() - begin >= (times[-1] - times[1]) / 1000
    assert len(shown_in(listener.everything(), 'mpegts')) == 5
    assert not any(map(waits, ['rtsp://host/x', 'udp://host:9', 'RTSP://host/x']))
    others = ['x.bdq', '-', 'tcp://host:9', 'http://host/x', 'https://host/x']
    assert all(map(waits, others))
    # None of these is paced, and no camera is, whose frames have waited already.
    monkeypatch.setattr(encoding, 'Pacer', None)
    assert encode_video.main([str(encoder_file), str(video), str(tmp_path / 'x.bdq')]) == 0
    camera = RTSPServer(encode_h264(moving_frames(30, 48, 64)))
    with closing(camera):
        arguments = [camera.url, Listener('udp').url, '--max-frames', '5']
        assert encode_video.main([str(encoder_file), *arguments]) == 0


def test_a_pace_ends_with_a_stop():
    stop = Event()
    pace = Pacer(stop)
    pace(1000)
    threading.Timer(0.2, stop.set).start()
    begin = time.monotonic()
    pace(3_600_000)
    assert time.monotonic() - begin < 600
    pace(500)  # late: no wait


def test_an_address_that_refuses_or_hangs(make_video, frames, encoder_file, tmp_path, capsys):
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(('127.0.0.1', 0))
        url = f'tcp://127.0.0.1:{closed.getsockname()[1]}'
        arguments = [str(encoder_file), str(make_video(frames)), str(tmp_path / 'x.bdq'), url]
        assert encode_video.main(arguments) == 1
    error = capsys.readouterr().err
    assert f'cannot send to {url} (Connection refused) after 0 frames' in error
    assert PackedReader(tmp_path / 'x.bdq').read().size == 0, 'the other output is a valid file'
    form = StreamingEncoder(encoder_file).form
    with socket.socket() as deaf:
        deaf.bind(('127.0.0.1', 0))
        deaf.listen()
        url = f'tcp://127.0.0.1:{deaf.getsockname()[1]}'
        writer = CodesVideoWriter(url, form, (480, 640), codec='mjpeg', timeout=0.2)
        noise = np.random.default_rng(0).integers(0, 16, (480, 640), np.uint8)
        with pytest.raises(OSError, match='cannot send to tcp://'):
            for time_ms in range(0, 40_000, 40):
                writer.write(noise, time_ms)
    with pytest.raises(ValueError, match=r'codes are sent to rtsp://'):
        check_outputs('x.mp4', ['ftp://me:secret@host/x.ts'], overwrite=False)
    with pytest.raises(ValueError, match='given twice'):
        check_outputs('x.mp4', [url, url], overwrite=False)


# ---------------------------------------------------------------- reconnecting
class ReturningCamera(RTSPServer):
    """Sends one clip after the other, each to a connection of its own."""

    def __init__(self, *clips: list[bytes]) -> None:
        super().__init__(clips[0])
        self.left = list(clips)

    def say(self, text: str) -> None:
        """Called when a connection is lost: the camera comes back with its next clip."""
        self.left.pop(0)
        if self.left:
            self.packets = self.left[0]


def test_a_camera_that_returns(tmp_path, encoder_file):
    """Same size: the same files go on. Another size: the next files; and both are said."""
    small, large = moving_frames(9, 48, 64), moving_frames(12, 64, 96)
    clips = [encode_h264(clip) for clip in (small, small[::-1], large)]
    camera, stop, said = ReturningCamera(*clips), Event(), []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith(camera.url):
            camera.say(text)
        if not camera.left:
            stop.set()

    (tmp_path / 'x.2.mkv').write_text('somebody else has this name')
    outputs = [tmp_path / 'x.bdq', tmp_path / 'x.mkv']
    source = ReconnectingSource(camera.url, stop=stop, say=say, first_wait=0.01)
    try:
        summary = encode_stream(source, StreamingEncoder(encoder_file), outputs, stop=stop, say=say)
    finally:
        camera.close()
    # What is encoded on either side of a gap knows nothing of the other side.
    expected = [encode_clip(encoder_file, decode_h264(clip)) for clip in clips]
    first, second = PackedReader(outputs[0]), PackedReader(tmp_path / 'x.2.bdq')
    times, codes = zip(*first.frames(), strict=True)
    assert np.array_equal(codes, np.concatenate(expected[:2])) and first.complete
    assert list(times[:8]) == [40 * i for i in range(8)] and sorted(set(times)) == list(times)
    assert np.array_equal(second.read(), expected[2]) and second.complete
    assert next(iter(second.frames()))[0] == 0
    assert (tmp_path / 'x.3.mkv').exists() and summary.frames == 8 + 8 + 11
    assert sum('ends after 9 frames' in text and 'the next try is in' in text for text in said) == 2
    (news,) = [text for text in said if 'another size' in text]
    assert 'x.2.bdq' in news and 'x.3.mkv' in news


def test_waiting_grows_from_try_to_try_and_ends_with_a_stop():
    stop, said = Event(), []
    waits = iter([0.01, 0.02, 0.04, 0.04])

    def say(text: str) -> None:
        said.append(text)
        assert f'the next try is in {next(waits)} s' in text
        if len(said) == 4:
            stop.set()

    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        url = f'rtsp://me:secret@127.0.0.1:{closed.getsockname()[1]}/x'
        source = ReconnectingSource(url, stop=stop, say=say, first_wait=0.01, longest_wait=0.04)
        assert list(source) == [] and len(said) == 4
    assert 'Connection refused' in said[0] and 'secret' not in ''.join(said)


def test_a_file_is_not_opened_anew(make_video, frames, encoder_file, tmp_path, capsys):
    arguments = [str(encoder_file), str(make_video(frames)), str(tmp_path / 'x.bdq')]
    assert encode_video.main([*arguments, '--reconnect']) == 1
    assert 'only addresses and cameras are opened anew' in capsys.readouterr().err


# ---------------------------------------------------------------- GStreamer's server
def has_gstreamer() -> bool:
    """Whether Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and GStreamer's plug-ins are here."""
    if not Path(GST_PYTHON).exists():
        return False
    program = 'import gi; gi.require_version("GstRtspServer", "1.0")'
    found = subprocess.run([GST_PYTHON, '-c', program], capture_output=True).returncode == 0
    return found


needs_gstreamer = pytest.mark.skipif(
    not has_gstreamer(),
    reason='needs gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-* and -libav',
)


@contextmanager
def gst_server(line: str, *options: str) -> Iterator[str]:
    """GStreamer's RTSP server with this launch line; gives its address."""
    process = subprocess.Popen(
        [GST_PYTHON, '-I', GST_SERVER, *options, line], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


CAMERAS = {
    'h264': ('x.mkv', 'libx264', 'yuv420p', 'matroskademux ! h264parse ! rtph264pay pt=96'),
    'mjpeg': ('x.avi', 'mjpeg', 'yuvj420p', 'avidemux ! jpegparse ! rtpjpegpay pt=26'),
}


@needs_gstreamer
@pytest.mark.parametrize('kind', CAMERAS)
def test_a_camera_served_by_gstreamer(tmp_path, make_video, encoder_file, kind):
    name, codec, pix_fmt, chain = CAMERAS[kind]
    options = {'huffman': 'default'} if codec == 'mjpeg' else {'bf': '0', 'g': '25'}
    video = make_video(
        moving_frames(40, 48, 64), name, codec=codec, pix_fmt=pix_fmt, options=options
    )
    with VideoSource(video) as source:
        clear = np.stack([frame.pixels for frame in source])
    out = tmp_path / 'x.bdq'
    with gst_server(f'( filesrc location={video} ! {chain} name=pay0 )') as url:
        assert encode_video.main([str(encoder_file), url, str(out), '--max-frames', '20']) == 0
    codes = PackedReader(out).read()
    expected = encode_clip(encoder_file, clear)
    # A server may give the first frames before anybody reads.
    starts = [i for i in range(len(expected) - 19) if np.array_equal(codes[0], expected[i])]
    assert len(starts) == 1 and np.array_equal(codes, expected[starts[0] :][:20])


@needs_gstreamer
def test_codes_are_sent_to_an_rtsp_server(tmp_path, encoder_file):
    """GStreamer's server takes the stream (ANNOUNCE, RECORD) and decodes it to raw frames."""
    raw = tmp_path / 'raw.i420'
    line = (
        '( rtph264depay name=depay0 ! h264parse ! avdec_h264 ! videoconvert ! '
        f'video/x-raw,format=I420 ! filesink location={raw} sync=false async=false )'
    )
    # At a camera's pace: what a server has not yet taken when its sender goes is lost.
    camera = RTSPServer(encode_h264(moving_frames(150, 48, 64)), pace=True)
    packed = tmp_path / 'same.bdq'
    with closing(camera), gst_server(line, '--record') as url:
        names = [camera.url, str(packed), url]
        assert encode_video.main([str(encoder_file), *names, '--max-frames', '100']) == 0
        deadline = 60 * 10
        size = 48 * 64 * 3 // 2
        while deadline and (not raw.exists() or raw.stat().st_size < 20 * size):
            deadline -= 1
            Event().wait(0.1)
    data = np.fromfile(raw, np.uint8)
    assert len(data) >= 20 * size
    luma = data[: len(data) // size * size].reshape(-1, size)[:, : 48 * 64].reshape(-1, 48, 64)
    codes = PackedReader(packed).read()
    grey = 17 * codes.astype(float) @ [0.299, 0.587, 0.114]
    shown = (luma.astype(float) - 16) * 255 / 219
    # A busy server may miss the first frames. Each that it has is one of ours, in their order.
    distances = np.abs(shown[:, None] - grey[None]).mean((2, 3))
    assert distances.min(1).max() < 12
    assert (np.diff(distances.argmin(1)) > 0).all()
