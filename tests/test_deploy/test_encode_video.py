from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.deploy import (
    PackedError,
    PackedReader,
    PackedWriter,
    StreamingEncoder,
    background,
    encode_clip,
)
from bdq_plugin.deploy import encoding as encoding_module
from bdq_plugin.deploy.codes_video import CodesVideoReader
from bdq_plugin.deploy.encoding import (
    EncodingSummary,
    check_outputs,
    encode_stream,
    fit_frame,
)
from bdq_plugin.video.source import SourceError, VideoSource
from tests.test_deploy.conftest import SECRETS, bare_site, moving_frames, remux_with_secrets
from tests.test_deploy.rtsp_server import RTSPServer, decode_h264, encode_h264
from tools import encode_video

REPOSITORY = Path(__file__).resolve().parents[2]


def all_frames(path) -> np.ndarray:
    with VideoSource(path) as source:
        return np.stack([frame.pixels for frame in source])


def test_real_videos_to_every_format(tmp_path, real_data, encoder_file, capsys):
    sources = [
        real_data / 'kth' / 'videos' / 'person04_running_d1_uncomp.avi',
        *sorted((real_data / 'ixmas' / 'original_samples').glob('*.avi')),
    ]
    for source in sources:
        outputs = [tmp_path / f'{source.stem}.{kind}' for kind in ('bdq', 'mkv', 'mp4')]
        assert encode_video.main([str(encoder_file), str(source), *map(str, outputs)]) == 0
        expected = encode_clip(encoder_file, all_frames(source))
        assert np.array_equal(PackedReader(outputs[0]).read(), expected)
        assert np.array_equal(np.stack(list(CodesVideoReader(outputs[1]))), expected)
        assert len(all_frames(outputs[2])) == len(expected)
        printed = capsys.readouterr().out
        assert f'{len(expected)} frames' in printed and 'Mbit/s' in printed
        assert 'of the source' in printed and f'{outputs[0].stat().st_size:,} bytes' in printed


@pytest.mark.parametrize('container', ['mkv', 'mp4', 'mov'])
def test_nothing_but_codes_passes(tmp_path, make_video, frames, encoder_file, container):
    """Beside the pictures nothing of a source changes a byte of what is written."""
    clip = frames[:, :36, :50]
    plain = make_video(clip, f'plain.{container}', codec='libx264', pix_fmt='yuv420p')
    secret = remux_with_secrets(plain, tmp_path / f'secret.{container}', later_ms=3_600_000)
    with av.open(str(secret)) as opened:
        kinds = {stream.type for stream in opened.streams}
        assert {'video', 'audio', 'subtitle'} <= kinds and opened.chapters()
        assert 'attachment' in kinds or container != 'mkv'
        tags = {key.lower(): value for key, value in opened.metadata.items()}
        assert tags['title'] == SECRETS[0] and tags['location'].startswith(SECRETS[6])
        assert tags['creation_time'].startswith(SECRETS[7])
    outputs = ['x.bdq', 'x.mkv', 'x.mp4']
    for source in (plain, secret):
        folder = tmp_path / f'{source.stem}_out'
        folder.mkdir()
        paths = [str(folder / name) for name in outputs]
        assert encode_video.main([str(encoder_file), str(source), *paths]) == 0
    for name in outputs:
        data = (tmp_path / 'secret_out' / name).read_bytes()
        assert data == (tmp_path / 'plain_out' / name).read_bytes()
        assert not [s for s in SECRETS if s.encode() in data]
        assert b'secret' not in data and str(tmp_path).encode() not in data


def test_what_the_viewable_files_say_of_themselves(tmp_path, make_video, frames, encoder_file):
    source = make_video(frames[:, :36, :50], 'secret.mkv', metadata=True)
    for name, allowed in [
        ('x.mkv', {'bdq_form', 'encoder', 'duration'}),
        (
            'x.mp4',
            {'major_brand', 'minor_version', 'compatible_brands', 'encoder', 'language'}
            | {'handler_name', 'vendor_id'},
        ),
    ]:
        assert encode_video.main([str(encoder_file), str(source), str(tmp_path / name)]) == 0
        with av.open(str(tmp_path / name)) as opened:
            assert [stream.type for stream in opened.streams] == ['video']
            assert not opened.chapters()
            tags = {**opened.metadata, **opened.streams.video[0].metadata}
            assert {key.lower() for key in tags} <= allowed


def test_relative_times_of_a_variable_frame_rate(tmp_path, make_video, frames, encoder_file):
    times = [5000 + t for t in (0, 10, 20, 120, 121, 500, 540, 580, 620, 3000, 3033, 3066)]
    source = make_video(frames, times_ms=times)
    outputs = [tmp_path / 'x.bdq', tmp_path / 'x.mkv']
    with VideoSource(source) as stream:
        encode_stream(stream, StreamingEncoder(encoder_file), outputs)
    expected = [t - times[1] for t in times[1:]]
    assert [t for t, _ in PackedReader(outputs[0]).frames()] == expected
    assert [t for t, _ in CodesVideoReader(outputs[1]).frames()] == expected


def test_fit_is_the_test_pipelines(frames):
    from mmaction.datasets.transforms import CenterCrop, Resize

    for side in (20, 64):
        item = dict(imgs=[frames[0].copy()], img_shape=frames.shape[1:3], modality='RGB')
        item = CenterCrop(crop_size=20)(Resize(scale=(-1, side))(item))
        assert np.array_equal(fit_frame(frames[0], side, 20), item['imgs'][0])
    with pytest.raises(ValueError, match='crop of 99'):
        fit_frame(frames[0], None, 99)
    # What a header claims must not decide how much memory is taken.
    with pytest.raises(ValueError, match='frames of 65535 x 1 would be scaled to 3145680 x 48'):
        fit_frame(np.zeros((1, 65535), np.uint8), 48, None)


def test_every_nth_frame(tmp_path, make_video, frames, encoder_file):
    out = tmp_path / 'x.bdq'
    arguments = [str(encoder_file), str(make_video(frames)), str(out), '--every', '3']
    assert encode_video.main([*arguments, '--crop', '16']) == 0
    top, left = (37 - 16) // 2, (51 - 16) // 2
    expected = encode_clip(encoder_file, frames[::3, top : top + 16, left : left + 16])
    reader = PackedReader(out)
    assert np.array_equal(reader.read(), expected) and reader.frame_rate == Fraction(25, 3)
    assert encode_video.main([*arguments, '--overwrite', '--max-frames', '2']) == 0
    assert len(PackedReader(out).read()) == 2


def test_a_source_that_breaks_off_leaves_valid_files(tmp_path, real_data, encoder_file, capsys):
    whole = (real_data / 'kth' / 'videos' / 'person04_running_d1_uncomp.avi').read_bytes()
    source = tmp_path / 'cut.avi'
    source.write_bytes(whole[: len(whole) // 2])
    outputs = [tmp_path / 'x.bdq', tmp_path / 'x.mkv', tmp_path / 'x.mp4']
    assert encode_video.main([str(encoder_file), str(source), *map(str, outputs)]) == 1
    printed = capsys.readouterr()
    assert 'error:' in printed.err and 'breaks off after' in printed.err
    reader = PackedReader(outputs[0])
    codes = reader.read()
    assert len(codes) > 50 and reader.complete
    assert f'{len(codes)} frames' in printed.out
    assert np.array_equal(np.stack(list(CodesVideoReader(outputs[1]))), codes)
    assert len(all_frames(outputs[2])) == len(codes)


def test_a_source_that_changes_its_size(tmp_path, make_video, encoder_file, capsys):
    options = dict(codec='libx264', pix_fmt='yuv420p')
    parts = [
        make_video(moving_frames(12, *size), f'{size[0]}.ts', **options)
        for size in ((36, 50), (64, 96))
    ]
    source, out = tmp_path / 'both.ts', tmp_path / 'x.bdq'
    source.write_bytes(b''.join(part.read_bytes() for part in parts))
    assert encode_video.main([str(encoder_file), str(source), str(out)]) == 1
    assert 'changes from 50 x 36 to 96 x 64' in capsys.readouterr().err
    reader = PackedReader(out)
    codes = reader.read()
    expected = encode_clip(encoder_file, all_frames(parts[0]))
    assert reader.complete and len(codes) >= 9 and np.array_equal(codes, expected[: len(codes)])


def test_rotated_ten_bit_video_of_odd_size(tmp_path, make_video, frames, encoder_file):
    """All that a phone may do at once."""
    source = make_video(
        frames[:, :36, :50],
        'phone.mp4',
        codec='libx264',
        pix_fmt='yuv420p10le',
        rotation=90,
        times_ms=[0, 40, 90, 130, 133, 300, 340, 380, 1000, 1040, 1080, 1200],
    )
    outputs = [tmp_path / name for name in ('x.bdq', 'x.mkv', 'x.mp4')]
    arguments = [str(encoder_file), str(source), *map(str, outputs), '--crop', '35']
    assert encode_video.main(arguments) == 0
    upright = all_frames(source)
    assert upright.shape == (12, 50, 36, 3)
    times, codes = zip(*PackedReader(outputs[0]).frames(), strict=True)
    assert np.array_equal(codes, encode_clip(encoder_file, upright[:, 7:42, :35]))
    assert np.array_equal(np.stack(list(CodesVideoReader(outputs[1]))), codes)
    assert times == (0, 50, 90, 93, 260, 300, 340, 960, 1000, 1040, 1160)


def test_an_rtsp_camera_that_dies(tmp_path, real_data, encoder_file, capsys):
    """A real video as a camera sends it. The server's title does not pass either."""
    frames = all_frames(real_data / 'kth' / 'videos' / 'person04_running_d1_uncomp.avi')[:60]
    packets = encode_h264(frames)
    server = RTSPServer(packets, die_after=45)
    outputs = [tmp_path / 'x.bdq', tmp_path / 'x.mkv']
    try:
        assert encode_video.main([str(encoder_file), server.url, *map(str, outputs)]) == 1
    finally:
        server.close()
    assert 'ends after 45 frames; the other side has closed it' in capsys.readouterr().err
    expected = encode_clip(encoder_file, decode_h264(packets)[:45])
    reader = PackedReader(outputs[0])
    times, codes = zip(*reader.frames(), strict=True)
    assert reader.complete and np.array_equal(codes, expected)
    assert list(times) == [40 * i for i in range(44)]
    assert np.array_equal(np.stack(list(CodesVideoReader(outputs[1]))), expected)
    assert not any(b'TopSecret' in path.read_bytes() for path in outputs)


def test_max_frames_of_a_camera(tmp_path, encoder_file):
    server = RTSPServer(encode_h264(moving_frames(20, 48, 64)))
    try:
        arguments = [str(encoder_file), server.url, str(tmp_path / 'x.bdq'), '--max-frames', '9']
        assert encode_video.main(arguments) == 0
    finally:
        server.close()
    assert len(PackedReader(tmp_path / 'x.bdq').read()) == 9


def printed_frames(printed: str) -> int:
    return int(re.search(r'^(\d+) frames', printed, re.MULTILINE)[1])


def test_stopping_finishes_the_files(
    tmp_path, make_video, frames, encoder_file, monkeypatch, capsys
):
    """Ctrl-C, and SIGTERM as a service manager sends it, however often."""
    source, out = make_video(frames), tmp_path / 'x.bdq'
    real, sent = StreamingEncoder.__call__, []

    def interrupted(self, frame):
        sent.append(None)
        if len(sent) >= 8:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, frame)

    monkeypatch.setattr(StreamingEncoder, '__call__', interrupted)
    before = signal.getsignal(signal.SIGTERM)
    assert encode_video.main([str(encoder_file), str(source), str(out)]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    reader = PackedReader(out)
    assert len(reader.read()) == 7 and reader.complete
    printed = capsys.readouterr()
    assert 'stopped' in printed.err and printed_frames(printed.out) == 7


def test_stopping_before_the_first_codes_leaves_an_earlier_file(
    tmp_path, make_video, frames, encoder_file, monkeypatch, capsys
):
    source, out = make_video(frames), tmp_path / 'x.bdq'
    out.write_bytes(b'earlier')
    real = StreamingEncoder.__call__

    def interrupted(self, frame):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(self, frame)

    monkeypatch.setattr(StreamingEncoder, '__call__', interrupted)
    assert encode_video.main([str(encoder_file), str(source), str(out), '--overwrite']) == 0
    assert 'stopped; nothing is written' in capsys.readouterr().err
    assert out.read_bytes() == b'earlier' and list(tmp_path.glob('x.bdq*')) == [out]


# From the first frame on, the tool's own timer counts, and signals it.
SIGNALLED = """
import os, runpy, signal
from bdq_plugin.deploy.streaming import StreamingEncoder

def begin(self, frame):
    StreamingEncoder.__call__ = encode
    signal.setitimer(signal.ITIMER_PROF, delay)
    return encode(self, frame)

signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), number))
encode, StreamingEncoder.__call__ = StreamingEncoder.__call__, begin
runpy.run_module('tools.encode_video', run_name='__main__')
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_every_frame_that_is_counted_is_in_the_files(tmp_path, make_video, encoder_file, number):
    """Whenever a signal comes, in the middle of a chunk or of a cluster: after so many seconds of
    the tool's own processor time, however busy the machine is."""
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'av')
    source = make_video(np.tile(moving_frames(50, 24, 32), (30, 1, 1, 1)))
    counts = set()
    for delay in (0.001, 0.05):
        outputs = [tmp_path / f'{delay}.bdq', tmp_path / f'{delay}.mkv']
        arguments = ['tool', str(encoder_file), str(source), *map(str, outputs)]
        script = (
            f'{start}sys.path.append({str(REPOSITORY)!r})\nsys.argv = {arguments!r}\n'
            f'number, delay = {int(number)}, {delay}\n{SIGNALLED}'
        )
        done = subprocess.run(
            [sys.executable, '-I', '-S', '-c', script], capture_output=True, text=True
        )
        printed = done.stdout
        assert done.returncode == 0, done.stderr
        if 'nothing is written' in done.stderr:  # the signal came before the first codes
            assert not any(path.exists() for path in outputs) and not printed
            counts.add(0)
            continue
        count = printed_frames(printed)
        counts.add(count)
        reader = PackedReader(outputs[0])
        assert len(reader.read()) == count and reader.complete
        assert len(list(CodesVideoReader(outputs[1]))) == count
        assert 'it holds' not in printed
    assert min(counts) < 1499, 'all signals came too late'


class Stream:
    """A source of so many frames, live or not."""

    name, frame_rate, num_frames, bytes_read = 'stream', 25, 0, 0

    def __init__(self, frames: np.ndarray, live: bool) -> None:
        self.frames, self.live = frames, live

    def __iter__(self):
        yield from ((40 * i, pixels) for i, pixels in enumerate(self.frames))


class SlowWriter(PackedWriter):
    """Begins to work when it is told that the whole source has come."""

    begin = threading.Event()

    def write(self, codes, time_ms):
        assert self.begin.wait(60)
        super().write(codes, time_ms)


@pytest.mark.parametrize('live', [True, False])
def test_a_writer_that_cannot_keep_up(tmp_path, encoder_file, monkeypatch, frames, live):
    """Of a live stream frames are dropped and counted, a file waits."""

    def open_slow(path, form, shape, frame_rate, **packed):
        kind = SlowWriter if Path(path).name == 'slow.bdq' else PackedWriter
        return kind(path, form, shape, frame_rate=frame_rate, **packed)

    clip = np.concatenate([frames] * 2)
    monkeypatch.setattr(encoding_module, 'open_writer', open_slow)
    monkeypatch.setattr(background, 'WAITING_BYTES', 5 * frames[0].nbytes)
    SlowWriter.begin = threading.Event()

    class Source(Stream):
        def __iter__(self):
            if not live:
                SlowWriter.begin.set()
            yield from super().__iter__()
            SlowWriter.begin.set()

    outputs = [tmp_path / 'slow.bdq', tmp_path / 'quick.bdq']
    summary = encode_stream(Source(clip, live), StreamingEncoder(encoder_file), outputs)
    expected = encode_clip(encoder_file, clip)
    slow, quick = (summary.outputs[str(path)] for path in outputs)
    times, codes = zip(*PackedReader(outputs[0]).frames(), strict=True)
    assert (slow.frames, slow.frames + slow.dropped) == (len(codes), len(expected))
    assert all(np.array_equal(c, expected[t // 40]) for t, c in zip(times, codes, strict=True))
    text = '\n'.join(summary.lines())
    if live:
        assert slow.frames in (5, 6)
        assert f'{slow.dropped} frames dropped: this output is too slow' in text
        assert f'it holds {slow.frames} of the 23 frames' in text
    else:
        assert slow.dropped == quick.dropped == 0 and 'dropped' not in text
        assert np.array_equal(PackedReader(outputs[1]).read(), expected)


def test_a_writer_that_fails_stops_the_encoding(tmp_path, encoder_file, monkeypatch, frames):
    class Failing(PackedWriter):
        def write(self, codes, time_ms):
            if time_ms >= 80:
                raise OSError('the disk is gone')
            super().write(codes, time_ms)

    monkeypatch.setattr(encoding_module, 'PackedWriter', Failing)
    endless = Stream(itertools.cycle(frames), live=False)
    summary = EncodingSummary()
    with pytest.raises(OSError, match='the disk is gone'):
        encode_stream(
            endless, StreamingEncoder(encoder_file), [tmp_path / 'x.bdq'], summary=summary
        )
    assert summary.outputs[str(tmp_path / 'x.bdq')].frames == 2
    assert len(PackedReader(tmp_path / 'x.bdq').read()) == 2
    assert f'it holds 2 of the {summary.frames} frames' in '\n'.join(summary.lines())


def test_the_memory_of_a_long_stream_is_bounded(tmp_path, encoder_file):
    """However many large frames come; these are 195 MB of codes."""
    pixels = np.random.default_rng(0).integers(0, 256, (400, 1080, 3), np.uint8)
    source = Stream([pixels] * 150, live=False)
    tracemalloc.start()
    encode_stream(source, StreamingEncoder(encoder_file), [tmp_path / 'x.bdq'])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 110e6, 'a queue of 64 MiB, a chunk of 16, and what is at work'


def test_a_camera_that_is_gone(tmp_path, frames, encoder_file):
    class Camera:
        name, frame_rate, num_frames, bytes_read = 'camera 0', 25, 0, 0

        def __iter__(self):
            yield from ((40 * i, pixels) for i, pixels in enumerate(frames))
            raise SourceError('camera 0: is gone after 12 frames')

    summary = EncodingSummary()
    with pytest.raises(SourceError, match='is gone'):
        encode_stream(
            Camera(), StreamingEncoder(encoder_file), [tmp_path / 'x.bdq'], summary=summary
        )
    assert summary.frames == 11 and len(PackedReader(tmp_path / 'x.bdq').read()) == 11
    assert 'of the source' not in '\n'.join(summary.lines())


def test_files_that_may_not_grow(tmp_path):
    """A file-size limit of the process stands in for a full disk: real files, real errors."""
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'av')
    script = """
import resource
import numpy as np
from bdq_plugin.deploy import CameraForm, StreamingEncoder
from bdq_plugin.deploy.encoding import encode_stream
thresholds = tuple(i * 10**6 for i in range(-7, 8))
form = CameraForm((256,), 'replicate', True, thresholds, 0.0, 0.0, 1.0)
rng = np.random.default_rng(0)
class Source:
    frame_rate, bytes_read = 25, 0
    def __iter__(self):
        for i in range(200):
            yield 40 * i, rng.integers(0, 256, (64, 64), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name in ('x.bdq', 'x.mkv', 'x.mp4'):
    try:
        encode_stream(Source(), StreamingEncoder(form, compiled=False), [name], chunk_frames=5)
    except OSError as error:
        print('caught', error)
"""
    done = subprocess.run(
        [sys.executable, '-c', start + script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout.count('caught') == 3, done.stderr
    for name in ('x.bdq', 'x.mkv', 'x.mp4'):
        path = tmp_path / name
        assert name in done.stdout and path.stat().st_size <= 100_000
        if name == 'x.bdq':
            assert len(PackedReader(path).read()) >= 5
            continue
        count = 0
        try:
            with VideoSource(path) as source:
                for _ in source:
                    count += 1
        except SourceError:
            pass  # the last piece is cut, all before it plays
        assert count >= 5


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 200 KB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(folder)]
    if not shutil.which('mount') or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('mounting needs root')
    yield folder
    subprocess.run(['umount', '--lazy', str(folder)], check=True)


@pytest.mark.parametrize('names', [['x.bdq', 'x.mkv'], ['x.mp4']])
def test_a_disk_that_is_full(small_disk, make_video, encoder_file, capsys, names):
    frames = moving_frames(150 if names == ['x.mp4'] else 12, 120, 160)
    outputs = [str(small_disk / name) for name in names]
    arguments = [str(encoder_file), str(make_video(frames)), *outputs, '--chunk-frames', '2']
    assert encode_video.main(arguments) == 1
    assert 'No space left' in capsys.readouterr().err
    assert shutil.disk_usage(small_disk).free < 40_000
    expected = encode_clip(encoder_file, frames)
    for path in outputs:
        given = []
        reader = {'.bdq': PackedReader, '.mkv': CodesVideoReader, '.mp4': VideoSource}[path[-4:]]
        try:
            for frame in reader(path):
                given.append(frame)
        except (SourceError, PackedError):
            pass  # the last piece is cut
        if path.endswith('.mp4'):
            assert len(given) >= 25, 'it is written by the second'
        else:
            assert len(given) >= 2 and np.array_equal(given, expected[: len(given)])


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full')
@pytest.mark.parametrize('suffix', ['.bdq', '.mkv', '.mp4'])
def test_a_disk_that_is_full_from_the_start(tmp_path, make_video, frames, encoder_file, suffix):
    path = tmp_path / f'x{suffix}'
    path.symlink_to('/dev/full')
    with VideoSource(make_video(frames)) as source, pytest.raises(OSError, match='No space left'):
        encode_stream(source, StreamingEncoder(encoder_file), [path])


@pytest.fixture
def folder(tmp_path, make_video, frames) -> Path:
    """Three videos, one of them broken, and other files."""
    folder = tmp_path / 'in.put'
    (folder / 'deep.er').mkdir(parents=True)
    make_video(frames).rename(folder / 'deep.er' / 'a.mkv')
    make_video(frames[::-1], 'b.mp4', codec='libx264', pix_fmt='yuv444p').rename(folder / 'B.MP4')
    (folder / 'broken.mp4').write_text('no video')
    (folder / 'notes.txt').write_text('notes')
    (folder / '._B.MP4').write_text('what macOS leaves')
    return folder


def test_a_folder(tmp_path, folder, frames, encoder_file, capsys):
    out = tmp_path / 'out.v2'
    arguments = [str(encoder_file), str(folder), str(out)]
    assert encode_video.main(arguments) == 1
    printed = capsys.readouterr()
    assert '2 of 3 videos encoded' in printed.out and 'broken.mp4' in printed.err
    assert f'{out}/deep.er/a.mkv.bdq: ' in printed.out and '.partial' not in printed.out
    assert 'not encoded: 1 (broken.mp4)' in printed.err
    assert 'left out, not named as videos are: 2 (._B.MP4, notes.txt)' in printed.out
    codes = PackedReader(out / 'deep.er' / 'a.mkv.bdq').read()
    assert np.array_equal(codes, encode_clip(encoder_file, frames))
    assert sorted(p.name for p in out.rglob('*.bdq')) == ['B.MP4.bdq', 'a.mkv.bdq']
    (tmp_path / 'empty').mkdir()
    assert encode_video.main([str(encoder_file), str(tmp_path / 'empty'), str(out)]) == 1
    assert 'holds no video' in capsys.readouterr().err
    # Again: what is there is not touched, and is passed over on request.
    assert encode_video.main(arguments) == 1
    printed = capsys.readouterr()
    assert '0 of 3 videos encoded' in printed.out
    assert printed.err.count('exists: choose another name, --overwrite or --skip-existing') == 2
    (out / 'B.MP4.bdq').unlink()
    assert encode_video.main([*arguments, '--skip-existing']) == 1
    assert '1 of 3 videos encoded, 1 there already' in capsys.readouterr().out
    (folder / 'broken.mp4').unlink()
    assert encode_video.main([*arguments, '--skip-existing']) == 0
    assert '0 of 2 videos encoded, 2 there already' in capsys.readouterr().out


@pytest.mark.parametrize('kind', ['mkv', 'mp4'])
def test_a_folder_of_outputs_within_the_folder(folder, encoder_file, kind, capsys):
    """The second run does not encode what the first has written."""
    arguments = [str(encoder_file), str(folder), str(folder / 'codes'), '--to', kind]
    for _ in range(2):
        assert encode_video.main([*arguments, '--overwrite']) == 1
        assert '2 of 3 videos encoded' in capsys.readouterr().out
    names = sorted(p.name for p in (folder / 'codes').rglob('*.*') if p.is_file())
    assert names == [f'B.MP4.{kind}', f'a.mkv.{kind}']
    if kind == 'mkv':  # nor does a third into another folder
        arguments[2] = str(folder / 'others')
        assert encode_video.main(arguments) == 1
        assert 'left out, codes already: 2 (codes/B.MP4.mkv, ' in capsys.readouterr().out
    assert encode_video.main([str(encoder_file), str(folder), str(folder)]) == 1
    assert 'is the folder of the videos: name another one' in capsys.readouterr().err


def test_links_to_folders_are_followed_once(tmp_path, folder, encoder_file, capsys):
    (tmp_path / 'elsewhere').mkdir()
    (folder / 'B.MP4').rename(tmp_path / 'elsewhere' / 'B.MP4')
    (folder / 'link').symlink_to(tmp_path / 'elsewhere')
    (folder / 'loop').symlink_to(folder)
    (folder / 'gone.avi').symlink_to('nowhere')
    (folder / 'a link').symlink_to(folder / 'deep.er')
    assert encode_video.main([str(encoder_file), str(folder), str(tmp_path / 'out')]) == 1
    printed = capsys.readouterr()
    assert '2 of 4 videos encoded' in printed.out
    assert 'not encoded: 2 (broken.mp4, gone.avi)' in printed.err
    made = sorted(str(p.relative_to(tmp_path / 'out')) for p in (tmp_path / 'out').rglob('*.bdq'))
    assert made == ['deep.er/a.mkv.bdq', 'link/B.MP4.bdq']


def test_what_breaks_off_in_a_folder_is_not_taken_for_finished(
    tmp_path, real_data, encoder_file, capsys
):
    whole = (real_data / 'kth' / 'videos' / 'person04_running_d1_uncomp.avi').read_bytes()
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'cut.avi').write_bytes(whole[: len(whole) // 2])
    arguments = [str(encoder_file), str(tmp_path / 'in'), str(tmp_path / 'out'), '--skip-existing']
    for _ in range(2):
        assert encode_video.main(arguments) == 1
        assert '0 of 1 videos encoded' in capsys.readouterr().out
    (path,) = (tmp_path / 'out').iterdir()
    assert path.name == 'cut.avi.partial.bdq' and len(PackedReader(path).read()) > 50
    (tmp_path / 'in' / 'cut.avi').write_bytes(whole)
    assert encode_video.main(arguments) == 0
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['cut.avi.bdq']


def test_stopping_within_a_folder(tmp_path, folder, encoder_file, monkeypatch, capsys):
    real, sent = StreamingEncoder.__call__, []

    def interrupted(self, frame):
        sent.append(None)
        if len(sent) == 17:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, frame)

    monkeypatch.setattr(StreamingEncoder, '__call__', interrupted)
    (folder / 'broken.mp4').unlink()
    arguments = [str(encoder_file), str(folder), str(tmp_path / 'out')]
    assert encode_video.main(arguments) == 1
    printed = capsys.readouterr()
    assert '1 of 2 videos encoded' in printed.out
    assert 'stopped; 1 videos are left. Go on with --skip-existing' in printed.err
    assert encode_video.main([*arguments, '--skip-existing']) == 0
    assert '1 of 2 videos encoded, 1 there already' in capsys.readouterr().out


@pytest.mark.parametrize('suffix', ['MTS', '3gp', 'flv', 'Mov', 'M2TS', 'WebM'])
def test_extensions_of_videos(tmp_path, make_video, frames, encoder_file, suffix, capsys):
    codec = 'libvpx' if suffix == 'WebM' else 'libx264'
    path = make_video(frames[:, :36, :50], f'x.{suffix.lower()}', codec=codec, pix_fmt='yuv420p')
    (tmp_path / 'in').mkdir()
    path.rename(tmp_path / 'in' / f'x.{suffix}')
    assert encode_video.main([str(encoder_file), str(tmp_path / 'in'), str(tmp_path / 'out')]) == 0
    assert '1 of 1 videos encoded' in capsys.readouterr().out
    assert len(PackedReader(tmp_path / 'out' / f'x.{suffix}.bdq').read()) == 11


@pytest.mark.parametrize('name', ['10:20:30.mkv', 'caf\udce9.mkv', 'ca fé%20.mkv', 'rtsp:x.mkv'])
def test_names_of_any_kind(tmp_path, make_video, frames, encoder_file, name, monkeypatch, capsys):
    """With colons, and in bytes that are no UTF-8; alone and in a folder."""
    (tmp_path / 'in').mkdir()
    make_video(frames).rename(tmp_path / 'in' / name)
    monkeypatch.chdir(tmp_path / 'in')
    outputs = [f'{name}.{kind}' for kind in ('bdq', 'mkv', 'mp4')]
    assert encode_video.main([str(encoder_file), name, *outputs]) == 0
    printed = capsys.readouterr().out
    assert '11 frames' in printed and printed.encode()
    expected = encode_clip(encoder_file, frames)
    assert np.array_equal(PackedReader(outputs[0]).read(), expected)
    assert np.array_equal(np.stack(list(CodesVideoReader(outputs[1]))), expected)
    for path in outputs:
        os.unlink(path)
    assert encode_video.main([str(encoder_file), '.', str(tmp_path / 'out'), '--to', 'mkv']) == 0
    made = CodesVideoReader(tmp_path / 'out' / f'{name}.mkv')
    assert np.array_equal(np.stack(list(made)), expected)


def test_codes_are_not_encoded_again(tmp_path, make_video, frames, encoder_file, capsys):
    outputs = [str(tmp_path / 'x.bdq'), str(tmp_path / 'x.mkv')]
    assert encode_video.main([str(encoder_file), str(make_video(frames)), *outputs]) == 0
    for path in outputs:
        assert encode_video.main([str(encoder_file), path, str(tmp_path / 'y.bdq')]) == 1
        assert f'{path} holds codes already' in capsys.readouterr().err


def test_a_source_of_one_frame(tmp_path, make_video, frames, encoder_file, capsys):
    source, out = make_video(frames[:1]), tmp_path / 'x.bdq'
    assert encode_video.main([str(encoder_file), str(source), str(out)]) == 1
    assert 'a difference needs two frames' in capsys.readouterr().err and not out.exists()
    arguments = [str(encoder_file), str(make_video(frames)), str(out), '--every', '12']
    assert encode_video.main(arguments) == 1
    assert 'of 12 every 12 is read' in capsys.readouterr().err


def test_outputs_are_checked_before_anything_is_written(tmp_path, make_video, frames):
    source = make_video(frames)
    before = source.read_bytes()
    with pytest.raises(ValueError, match='is the source'):
        check_outputs(str(source), [source], overwrite=True)
    with pytest.raises(ValueError, match=r'ends in one of \.bdq'):
        check_outputs(str(source), [tmp_path / 'x.avi'], overwrite=False)
    with pytest.raises(FileNotFoundError, match='no folder'):
        check_outputs(str(source), [tmp_path / 'a' / 'x.bdq'], overwrite=False)
    with pytest.raises(ValueError, match='given twice'):
        check_outputs(str(source), ['x.bdq', './x.bdq'], overwrite=False)
    (tmp_path / 'folder.bdq').mkdir()
    with pytest.raises(IsADirectoryError, match='is a folder'):
        check_outputs(str(source), [tmp_path / 'folder.bdq'], overwrite=True)
    (tmp_path / 'x.bdq').write_text('')
    with pytest.raises(FileExistsError, match='--overwrite'):
        check_outputs(str(source), [tmp_path / 'x.bdq'], overwrite=False)
    assert source.read_bytes() == before


def test_errors_of_the_tool_are_one_line(tmp_path, encoder_file, capsys):
    assert encode_video.main([str(encoder_file), 'nothing.mp4', str(tmp_path / 'x.bdq')]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: no video nothing.mp4')
    assert encode_video.main(['nothing.json', 'a.mp4', str(tmp_path / 'x.bdq')]) == 1
    assert 'nothing.json' in capsys.readouterr().err
    assert list(tmp_path.glob('x.*')) == []


def test_no_clear_frame_is_written(tmp_path, make_video, frames, encoder_file, monkeypatch):
    """All that a writer is ever given are codes."""
    given = []
    real = encoding_module.open_writer

    def spy(*arguments, **options):
        writer = real(*arguments, **options)
        write = writer.write
        writer.write = lambda codes, time_ms: (given.append(codes), write(codes, time_ms))
        return writer

    monkeypatch.setattr(encoding_module, 'open_writer', spy)
    outputs = [tmp_path / 'out' / name for name in ('x.bdq', 'x.mkv', 'x.mp4')]
    outputs[0].parent.mkdir()
    with VideoSource(make_video(frames)) as source:
        encode_stream(source, StreamingEncoder(encoder_file), outputs)
    assert sorted(os.listdir(tmp_path / 'out')) == ['x.bdq', 'x.mkv', 'x.mp4']
    assert len(given) == 3 * 11 and max(codes.max() for codes in given) < 16


@pytest.mark.skipif(not shutil.which('strace'), reason='needs strace')
def test_no_other_file_is_opened_for_writing(tmp_path, make_video, frames, encoder_file):
    """As the kernel sees it: no temporary file, no dump, the outputs alone."""
    start = bare_site(tmp_path / 'site-packages', 'numpy', 'av')
    out, log = tmp_path / 'out', tmp_path / 'log'
    out.mkdir()
    outputs = [str(out / name) for name in ('x.bdq', 'x.mkv', 'x.mp4')]
    arguments = ['tool', str(encoder_file), str(make_video(frames)), *outputs]
    script = (
        f'{start}sys.path.append({str(REPOSITORY)!r})\nsys.argv = {arguments!r}\n'
        'import runpy\nrunpy.run_module("tools.encode_video", run_name="__main__")'
    )
    trace = ['strace', '-f', '-s', '4096', '-o', str(log), '-e', 'trace=%file,memfd_create']
    done = subprocess.run(
        [*trace, sys.executable, '-I', '-S', '-B', '-c', script],
        capture_output=True,
        text=True,
        cwd=out,
    )
    if 'ptrace' in done.stderr:
        pytest.skip('tracing is not allowed here')
    assert done.returncode == 0, done.stderr
    calls = [line for line in log.read_text().splitlines() if not re.search(r'= -1 E', line)]
    assert not [line for line in calls if 'memfd_create' in line]
    writing = [line for line in calls if re.search(r'O_WRONLY|O_RDWR|O_CREAT|creat\(', line)]
    opened = {re.search(r'"(.*?)"', line)[1] for line in writing}
    assert {p for p in opened if not p.startswith('/dev/')} == set(outputs)


# ---------------------------------------------------------------- standard output
def command_of(*arguments: object) -> list[str]:
    return [sys.executable, str(REPOSITORY / 'tools' / 'encode_video.py'), *map(str, arguments)]


def test_standard_output_is_a_stream_of_codes_alone(tmp_path, make_video, frames, encoder_file):
    clip = frames[:, :36, :50]
    video = make_video(clip, metadata=True)
    file = tmp_path / 'codes.ts'
    done = subprocess.run(
        command_of(encoder_file, video, '-', file), capture_output=True, check=True
    )
    # Nothing but the stream on standard output, and what is said on standard error.
    assert done.stdout == file.read_bytes() and len(done.stdout) % 188 == 0
    assert done.stdout[::188] == b'G' * (len(done.stdout) // 188)
    assert f'-: {len(done.stdout):,} bytes' in done.stderr.decode()
    assert not [secret for secret in SECRETS if secret.encode() in done.stdout]
    codes = encode_clip(encoder_file, clip)
    shown = all_frames(file)
    assert shown.shape == codes.shape
    assert np.abs(shown.astype(int) - 17 * codes.astype(int)).mean() < 8
    # Clear video is far from it: the comparison would see it pass.
    assert np.abs(shown.astype(int) - clip[1:].astype(int)).mean() > 30


def test_a_reader_of_standard_output_that_goes_away(tmp_path, make_video, encoder_file):
    video = make_video(moving_frames(200, 64, 96))
    file = tmp_path / 'codes.bdq'
    process = subprocess.Popen(
        command_of(encoder_file, video, '-', file), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert len(process.stdout.read(188)) == 188
    process.stdout.close()
    said = process.stderr.read().decode()
    assert process.wait() == 1
    assert 'whoever read it has gone' in said and 'Traceback' not in said
    PackedReader(file).read()  # the other output is whole as far as it goes


def test_standard_output_is_refused_where_it_makes_no_sense(tmp_path, encoder_file, capsys):
    assert encode_video.main([str(encoder_file), str(tmp_path), '-']) == 1
    assert 'not standard output' in capsys.readouterr().err
    assert encode_video.main([str(encoder_file), 'x.mp4', '-', '-']) == 1
    assert 'given twice' in capsys.readouterr().err
