"""Small videos of many kinds, made by FFmpeg's encoders as they are asked for.

    python tools/stress/video_kinds.py FOLDER

Each is one that some reader has read wrongly: frames stored in another order than shown, clocks
that begin anew, edit lists, a matrix that turns the picture, a preview beside the video.
"""

from __future__ import annotations

import argparse
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

os.environ.setdefault('SVT_LOG', '1')  # the AV1 encoder tells its life otherwise
COUNT, HEIGHT, WIDTH = 24, 48, 64
# Milliseconds: ten a second, a pause, forty a second.
VARIABLE_TIMES = [100 * i for i in range(8)] + [2000 + 25 * i for i in range(16)]


def pictures(count: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Coloured waves that move, and a bright corner that tells up from down: (T, H, W, 3)."""
    t, y, x = np.meshgrid(np.arange(count), np.arange(height), np.arange(width), indexing='ij')
    waves = [np.sin((x + (2 + c) * t) / (5 + c)) * np.cos((y - t) / (7 - c)) for c in range(3)]
    frames = np.stack(waves, axis=-1) * 90 + 120
    frames[:, : height // 4, : width // 4] = (250, 230, 210)
    return frames.astype(np.uint8)


def encode(
    path: Path,
    codec: str,
    pix_fmt: str = 'yuv420p',
    *,
    frames: np.ndarray | None = None,
    times_ms: Sequence[int] | None = None,
    container: dict[str, str] | None = None,
    rotation: int | None = None,
    interlaced: bool = False,
    colour: dict[str, int] | None = None,
    **options: str,
) -> Path:
    """Write a video.

    Args:
        path: The file; its suffix chooses the container.
        codec: FFmpeg's encoder.
        pix_fmt: Of the encoder.
        frames: uint8 RGB, (T, H, W, 3); those of :func:`pictures` by default.
        times_ms: Of the frames, 25 a second by default.
        container: Options of the container.
        rotation: Degrees that a player is told to turn the picture by.
        interlaced: Encode as two fields a frame.
        colour: Attributes of the frames: ``color_range``, ``colorspace``.
        **options: Of the encoder.
    """
    frames = pictures() if frames is None else frames
    times_ms = [40 * i for i in range(len(frames))] if times_ms is None else times_ms
    if interlaced:
        options['flags'] = '+ilme+ildct'
    with av.open(str(path), 'w', options=container or {}) as output:
        stream = add_stream(output, codec, pix_fmt, frames.shape[1:3], **options)
        for name, value in (colour or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for packet in packets_of(stream, frames, times_ms, colour or {}):
            output.mux(packet)
    return path


def add_stream(
    output: av.container.OutputContainer,
    codec: str,
    pix_fmt: str,
    size: tuple[int, int],
    **options: str,
) -> av.VideoStream:
    """A stream of 25 frames a second, whose times are ms where the codec takes that."""
    quiet = {'libx265': {'x265-params': 'log-level=none'}, 'libsvtav1': {'preset': '12'}}
    stream = output.add_stream(codec, rate=25, options={**quiet.get(codec, {}), **options})
    stream.height, stream.width = size
    stream.pix_fmt = pix_fmt
    # MPEG-1, -2 and -4 have a fixed clock.
    is_fixed = codec.startswith(('mpeg', 'msmpeg', 'libsvtav1'))
    stream.codec_context.time_base = Fraction(1, 25 if is_fixed else 1000)
    stream.codec_context.thread_count = 1
    return stream


def packets_of(
    stream: av.VideoStream,
    frames: np.ndarray,
    times_ms: Iterable[int],
    colour: dict[str, int] | None = None,
) -> list[av.Packet]:
    """The packets of frames of RGB."""
    packets = []
    for pixels, time_ms in zip(frames, times_ms, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
        options = {f'dst_{name}': value for name, value in (colour or {}).items()}
        frame = frame.reformat(format=stream.pix_fmt, threads=1, **options)
        frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
        packets += stream.encode(frame)
    return packets + stream.encode()


def copy_packets(
    source: Path, path: Path, offset_s: float = 0.0, container: dict[str, str] | None = None
) -> Path:
    """Write the packets of a video into another one, so much later."""
    with (
        av.open(str(source)) as input_,
        av.open(str(path), 'w', options=container or {}) as output,
    ):
        stream = output.add_stream_from_template(input_.streams.video[0])
        offset = round(offset_s / input_.streams.video[0].time_base)
        for packet in input_.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                packet.stream = stream
                output.mux(packet)
    return path


def join(path: Path, *parts: Path) -> Path:
    """One file after the other, as a camera that starts anew leaves them."""
    path.write_bytes(b''.join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink(missing_ok=True)
    return path


def packed_avi(path: Path) -> Path:
    """DivX's packed bitstream: a P and the B before it in one chunk, then an empty one."""
    raw = encode(path.with_suffix('.m4v'), 'mpeg4', bf='1', b_strategy='0', g='12')
    with av.open(str(raw)) as container:
        stored = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    raw.unlink()
    chunks: list[bytes] = []
    for i, data in enumerate(stored):
        if _vop_type(data) == _B:
            chunks[-1:] = [chunks[-1] + data, _empty_vop(stored[i - 1])]
        else:
            chunks.append(data)
    # The mark of a packed bitstream, before the first VOP.
    place = chunks[0].index(_VOP)
    chunks[0] = chunks[0][:place] + b'\0\0\1\xb2DivX503b1393p' + chunks[0][place:]
    with av.open(str(path), 'w') as output:
        stream = add_stream(output, 'mpeg4', 'yuv420p', (HEIGHT, WIDTH))
        for i, data in enumerate(chunks):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = i
            packet.is_keyframe = _vop_type(data) == _I
            output.mux(packet)
    return path


_VOP, _I, _B = b'\0\0\1\xb6', 0, 2
# Bits of a VOP's time at 25 ticks a second.
_TIME_BITS = 5


def _vop_type(data: bytes) -> int:
    return data[data.index(_VOP) + 4] >> 6


def _empty_vop(data: bytes) -> bytes:
    """A P that repeats the picture of ``data``, at its time."""
    place = data.index(_VOP) + 4
    bits = ''.join(f'{byte:08b}' for byte in data[place : place + 8])
    time = bits.index('0', 2) + 2  # behind its type, the seconds and a mark
    short = '01' + '0' + '1' + bits[time : time + _TIME_BITS] + '1' + '0'
    return _VOP + int(short.ljust(16, '1'), 2).to_bytes(2, 'big')


def joined_ts(path: Path) -> Path:
    """Two recordings in one file; the clock begins anew."""
    first = encode(path.with_name('first.ts'), 'libx264', g='12', bf='2')
    return join(path, first, first)


def jumping_ts(path: Path) -> Path:
    """A recording, one of a camera whose clock is ten hours on, and one whose clock is back."""
    first = encode(path.with_name('first.ts'), 'libx264', g='12', bf='2')
    later = copy_packets(first, path.with_name('later.ts'), 36_000.0)
    return join(path, first, later, first)


def trimmed_mp4(path: Path) -> Path:
    """Trimmed without loss: an edit list hides what was cut off, from a key frame on."""
    whole = encode(path.with_name('whole.mp4'), 'libx264', g='12', bf='2')
    copy_packets(whole, path, -0.28)
    whole.unlink()
    return path


def mirrored_mp4(path: Path) -> Path:
    """A front camera's: mirrored, and turned by 90 degrees."""
    encode(path, 'libx264', g='12', bf='2')
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 4 + 40  # behind a header of version 0
    data[place : place + 36] = struct.pack('>9i', 0, 1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def turned_in_band(path: Path) -> Path:
    """MPEG-TS has no place for a matrix: key frames alone carry one."""
    # Display orientation (47), 3 bytes: no cancellation, no mirror, a quarter turn, until the next.
    message = bytes.fromhex('00000001 06 2f03 080009 80')
    with av.open(str(path), 'w') as output:
        stream = add_stream(output, 'libx264', 'yuv420p', (HEIGHT, WIDTH), g='8', bf='2')
        for packet in packets_of(stream, pictures(), [40 * i for i in range(COUNT)]):
            marked = av.Packet(message + bytes(packet)) if packet.is_keyframe else packet
            for name in ('pts', 'dts', 'time_base', 'stream', 'is_keyframe'):
                setattr(marked, name, getattr(packet, name))
            output.mux(marked)
    return path


def preview_first(path: Path) -> Path:
    """A small preview, then the video, which is marked as the one to play."""
    with av.open(str(path), 'w') as output:
        small = add_stream(output, 'libx264', 'yuv420p', (16, 32))
        video = add_stream(output, 'libx264', 'yuv420p', (HEIGHT, WIDTH), g='12', bf='2')
        small.disposition = av.stream.Disposition(0)
        video.disposition = av.stream.Disposition.default
        times = [40 * i for i in range(COUNT)]
        packets = packets_of(small, pictures(COUNT, 16, 32)[::4], times[::4])
        for packet in packets + packets_of(video, pictures(), times):
            output.mux(packet)
    return path


def with_cover(path: Path) -> Path:
    """A cover picture, larger than the video that it goes with."""
    with av.open(str(path), 'w') as output:
        cover = add_stream(output, 'mjpeg', 'yuvj420p', (160, 160))
        video = add_stream(output, 'libx264', 'yuv420p', (HEIGHT, WIDTH), g='12', bf='2')
        cover.disposition = av.stream.Disposition.attached_pic
        packets = packets_of(cover, pictures(1, 160, 160), [0])
        packets += packets_of(video, pictures(), [40 * i for i in range(COUNT)])
        for packet in packets:
            output.mux(packet)
    return path


def counted_wrong(path: Path) -> Path:
    """The header announces 200 frames."""
    encode(path, 'mpeg4', g='12', bf='0')
    data = bytearray(path.read_bytes())
    for name, offset in ((b'avih', 24), (b'strh', 40)):
        place = data.index(name) + offset
        data[place : place + 4] = (200).to_bytes(4, 'little')
    path.write_bytes(data)
    return path


def begun_between_keys(path: Path) -> Path:
    """A recording cut out of a running stream: its first key frame is its 13th."""
    encode(path, 'libx264', g='12', bf='0', container={'mpegts_flags': '+resend_headers'})
    data = path.read_bytes()
    size = 188
    second = [
        i for i in range(0, len(data), size) if data[i + 1] & 0x40 and data[i + 2] == 0
        and data[i + 1] & 0x1F == 1
    ][3]  # fmt: skip
    path.write_bytes(data[second:])
    return path


def palette(path: Path) -> Path:
    """Pictures of a palette."""
    with av.open(str(path), 'w') as output:
        stream = add_stream(output, 'png', 'pal8', (HEIGHT, WIDTH))
        colours = np.random.default_rng(0).integers(0, 256, (256, 4), dtype=np.uint8)
        colours[:, 3] = 255
        for i, pixels in enumerate(pictures()):
            frame = av.VideoFrame.from_ndarray((pixels[..., 0], colours), format='pal8')
            frame.pts, frame.time_base = 40 * i, Fraction(1, 1000)
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    return path


def _coded(codec: str, pix_fmt: str = 'yuv420p', **options: Any) -> Callable[[Path], Path]:
    return lambda path: encode(path, codec, pix_fmt, **options)


KINDS: dict[str, Callable[[Path], Path]] = {
    'b_frames.avi': _coded('mpeg4', g='12', bf='2'),
    'b_frames_h264.avi': _coded('libx264', g='12', bf='3'),
    'packed.avi': packed_avi,
    'counted_wrong.avi': counted_wrong,
    'mjpeg.avi': _coded('mjpeg', 'yuvj420p'),
    'joined.ts': joined_ts,
    'jumping.ts': jumping_ts,
    'begun_between_keys.ts': begun_between_keys,
    'interlaced.ts': _coded('libx264', g='12', bf='2', interlaced=True),
    'interlaced.mpg': _coded('mpeg2video', g='12', bf='2', interlaced=True),
    'rotated_90.mp4': _coded('libx264', g='12', bf='2', rotation=90),
    'rotated_180.mp4': _coded('libx264', g='12', bf='2', rotation=180),
    'rotated_270.mov': _coded('libx264', g='12', bf='2', rotation=270),
    'mirrored.mp4': mirrored_mp4,
    'turned_in_band.ts': turned_in_band,
    'trimmed.mp4': trimmed_mp4,
    'preview_first.mp4': preview_first,
    'cover.mp4': with_cover,
    'variable.mp4': _coded('libx264', g='12', bf='2', times_ms=VARIABLE_TIMES),
    'variable.mkv': _coded('libx264', g='12', bf='2', times_ms=VARIABLE_TIMES),
    'variable.flv': _coded('flv', g='12', times_ms=VARIABLE_TIMES),
    'open_gop.mkv': _coded('libx264', **{'x264-params': 'open-gop=1:keyint=12:bframes=3'}),
    'intra_refresh.mkv': _coded('libx264', **{'x264-params': 'intra-refresh=1:keyint=12'}),
    'fragments.mp4': _coded(
        'libx264', g='12', container={'movflags': '+frag_keyframe+empty_moov'}
    ),
    'vp8.webm': _coded('libvpx', g='12'),
    'vp9.webm': _coded('libvpx-vp9', g='12'),
    'av1.mp4': _coded('libsvtav1', g='12'),
    'hevc_10_bit.mp4': _coded('libx265', 'yuv420p10le', g='12'),
    'h264_422_10_bit.mkv': _coded('libx264', 'yuv422p10le', g='12'),
    'wmv2.wmv': _coded('wmv2', g='12'),
    'palette.mov': palette,
    'grey.mkv': _coded('ffv1', 'gray'),
    'grey_10_bit.mkv': _coded('ffv1', 'gray10le'),
    'rgb.avi': _coded('rawvideo', 'bgr24'),
}  # fmt: skip


def write_kinds(folder: Path, names: Iterable[str] = KINDS) -> list[Path]:
    """Write a video of each kind, unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        folder / name if (folder / name).exists() else KINDS[name](folder / name) for name in names
    ]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    for written in write_kinds(parser.parse_args().folder):
        print(written)
