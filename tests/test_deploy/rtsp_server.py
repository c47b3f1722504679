"""A small RTSP server: H.264 over RTP inside the RTSP connection (RFC 2326, RFC 6184).

    python -m tests.test_deploy.rtsp_server VIDEO [--port 8554] [--die-after FRAMES]

It plays its frames to each client from the beginning. The tests run it in a thread; from the
command line it serves a video for a trial by hand, at the video's own pace.
"""

from __future__ import annotations

import argparse
import re
import socketserver
import struct
import threading
import time
from fractions import Fraction

import av
import numpy as np

from bdq_plugin.video.source import VideoSource

_PAYLOAD_TYPE, _CLOCK = 96, 90_000
_LARGEST = 1400  # bytes of a unit that is sent whole; larger ones go in fragments


def encode_h264(frames: np.ndarray) -> list[bytes]:
    """uint8 RGB frames (T, H, W, 3), even H and W, as H.264 with start codes, an item a frame."""
    codec = av.CodecContext.create('libx264', 'w')
    codec.height, codec.width = frames.shape[1:3]
    codec.pix_fmt, codec.time_base = 'yuv420p', Fraction(1, 25)
    codec.options = {'preset': 'ultrafast', 'tune': 'zerolatency', 'g': '25'}
    packets = []
    for index, pixels in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(pixels, format='rgb24')
        picture.pts = index
        packets += codec.encode(picture)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


def decode_h264(packets: list[bytes]) -> np.ndarray:
    """The RGB frames that a client sees, (T, H, W, 3)."""
    codec = av.CodecContext.create('h264', 'r')
    items = [*map(av.Packet, packets), None]
    pictures = [picture for item in items for picture in codec.decode(item)]
    return np.stack([picture.reformat(format='rgb24').to_ndarray() for picture in pictures])


class RTSPServer(socketserver.ThreadingTCPServer):
    """Serve frames of H.264 on this machine.

    Args:
        packets: of :func:`encode_h264`.
        rate: frames a second by their time stamps.
        pace: wait between frames as a camera does; otherwise send as fast as the client reads.
        die_after: break the connection off after so many frames, without a goodbye.
        hang_after: send nothing more after so many frames, and keep the connection.
        port: 0 for a free one.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(
        self,
        packets: list[bytes],
        *,
        rate: int = 25,
        pace: bool = False,
        die_after: int | None = None,
        hang_after: int | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(('127.0.0.1', port), _Session)
        self.packets, self.rate, self.pace = packets, rate, pace
        self.die_after, self.hang_after = die_after, hang_after
        self.stopped = threading.Event()
        self.url = f'rtsp://127.0.0.1:{self.server_address[1]}/camera'
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    server: RTSPServer

    def handle(self) -> None:
        while line := self.rfile.readline().decode():
            method, headers = line.partition(' ')[0], {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(':')
                headers[name.lower()] = value.strip()
            extra, body = {}, ''
            if method == 'OPTIONS':
                extra['Public'] = 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN'
            elif method == 'DESCRIBE':
                extra['Content-Type'] = 'application/sdp'
                body = (
                    'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=TopSecretTitle\r\nt=0 0\r\n'
                    f'm=video 0 RTP/AVP {_PAYLOAD_TYPE}\r\na=control:video\r\n'
                    f'a=rtpmap:{_PAYLOAD_TYPE} H264/{_CLOCK}\r\n'
                    f'a=fmtp:{_PAYLOAD_TYPE} packetization-mode=1\r\n'
                    f'a=framerate:{self.server.rate}\r\n'
                )
            elif method == 'SETUP':
                extra['Transport'] = 'RTP/AVP/TCP;unicast;interleaved=0-1'
            lines = ['RTSP/1.0 200 OK', f'CSeq: {headers.get("cseq", 0)}', 'Session: 1']
            lines += [f'{name}: {value}' for name, value in extra.items()]
            lines += [f'Content-Length: {len(body)}', '', body]
            self.wfile.write('\r\n'.join(lines).encode())
            if method == 'PLAY':
                return self.play()
            if method == 'TEARDOWN':
                return None
        return None

    def play(self) -> None:
        server, self.sequence = self.server, 0
        try:
            for index, packet in enumerate(server.packets):
                if index == server.die_after:
                    return
                if index == server.hang_after:
                    server.stopped.wait(60)
                    return
                self.send_frame(packet, 1000 + index * _CLOCK // server.rate)
                if server.pace:
                    time.sleep(1 / server.rate)
            # RTCP: an empty report, which every packet begins with, and a goodbye.
            self.send(1, struct.pack('>BBHIBBHI', 0x80, 201, 1, 1, 0x81, 203, 1, 1))
            self.rfile.read()  # until the client has read all and hangs up
        except OSError:
            pass  # the client is gone

    def send_frame(self, packet: bytes, stamp: int) -> None:
        units = [unit for unit in re.split(b'\0\0\0?\1', packet) if unit]
        for unit in units:
            last = unit is units[-1]
            if len(unit) <= _LARGEST:
                self.send_rtp(unit, stamp, last)
                continue
            pieces = [unit[i : i + _LARGEST] for i in range(1, len(unit), _LARGEST)]
            for piece in pieces:
                first, end = piece is pieces[0], piece is pieces[-1]
                head = bytes([unit[0] & 0xE0 | 28, first << 7 | end << 6 | unit[0] & 0x1F])
                self.send_rtp(head + piece, stamp, last and end)

    def send_rtp(self, payload: bytes, stamp: int, marker: bool) -> None:
        kind = marker << 7 | _PAYLOAD_TYPE
        head = struct.pack('>BBHII', 0x80, kind, self.sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1)
        self.sequence += 1
        self.send(0, head + payload)

    def send(self, channel: int, data: bytes) -> None:
        self.wfile.write(struct.pack('>cBH', b'$', channel, len(data)) + data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video')
    parser.add_argument('--port', type=int, default=8554)
    parser.add_argument('--die-after', type=int, help='break off after so many frames')
    args = parser.parse_args()
    with VideoSource(args.video, grey=False) as source:
        frames, rate = np.stack([frame.pixels for frame in source]), round(source.frame_rate)
    server = RTSPServer(
        encode_h264(frames), rate=rate, pace=True, die_after=args.die_after, port=args.port
    )
    print(f'{server.url}: {len(frames)} frames; Ctrl-C ends it', flush=True)
    threading.Event().wait()


if __name__ == '__main__':
    main()
