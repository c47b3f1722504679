"""A fixed sample of the damaged videos that tools/stress/fuzz_videos.py reads by the thousand."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import av
import pytest

from tools.stress.video_kinds import write_kinds

STRESS = Path(__file__).resolve().parents[2] / 'tools' / 'stress'
sys.path.insert(0, str(STRESS))
spec = importlib.util.spec_from_file_location('fuzz_videos', STRESS / 'fuzz_videos.py')
fuzz_videos = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_videos)
sys.path.remove(str(STRESS))

REAL = (
    'kth/videos/person03_boxing_d4_uncomp.mp4',
    'ixmas/original_samples/nicolas3_10_kick_cam2_frames_0870_0945.avi',
)
KINDS = ('b_frames_h264.avi', 'packed.avi', 'jumping.ts', 'mirrored.mp4', 'trimmed.mp4', 'vp9.webm')


@pytest.fixture(scope='module')
def sources(real_data, tmp_path_factory) -> list[Path]:
    made = write_kinds(tmp_path_factory.mktemp('kinds'), KINDS)
    return [real_data / name for name in REAL] + made


@pytest.mark.parametrize('mutation', range(len(fuzz_videos.MUTATIONS)))
def test_damaged_videos_are_read_right_or_refused(sources, tmp_path, mutation):
    for i in range(len(sources)):
        index = mutation + i * len(fuzz_videos.MUTATIONS)
        mutant = fuzz_videos.make_mutant(index, sources, tmp_path, seed=7)
        fuzz_videos.write_mutant(mutant)
        result = fuzz_videos.read(str(mutant['path']), str(mutant['source']))
        assert result['outcome'] in ('read', 'refused'), result


class Faulty(fuzz_videos.VideoSource):
    """A streaming reader with a fault."""

    fault = ''

    def __iter__(self):
        for i, (time_ms, pixels) in enumerate(super().__iter__()):
            if i == 3 and self.fault == 'pixels':
                pixels = pixels[:, ::-1]
            if i == 3 and self.fault == 'frame':
                continue
            yield (0 if i == 3 and self.fault == 'time' else time_ms), pixels


@pytest.mark.parametrize(
    ('fault', 'outcome'), [('pixels', 'two readers'), ('frame', 'two readers'), ('time', 'times')]
)
def test_a_reader_with_a_fault_is_noticed(sources, monkeypatch, fault, outcome):
    monkeypatch.setattr(fuzz_videos, 'VideoSource', Faulty)
    monkeypatch.setattr(Faulty, 'fault', fault)
    path = str(sources[-1])
    assert fuzz_videos.read(path, path)['outcome'] == outcome


def test_pixels_that_ffmpeg_makes_anew_are_told(monkeypatch, sources):
    """By what it has left in memory: here, by the first frame that was asked for."""
    path = str(sources[-1])
    _, expected = fuzz_videos.decode_from_the_beginning(path, set(range(24)))
    assert fuzz_videos.is_reproducible(path, expected)
    decode = fuzz_videos.decode_from_the_beginning

    def forgetful(path, wanted, hold=False):
        count, found = decode(path, wanted, hold)
        return count, {i: found[i] ^ (i == 21 and 5 < min(wanted) < 12) for i in found}

    monkeypatch.setattr(fuzz_videos, 'decode_from_the_beginning', forgetful)
    assert not fuzz_videos.is_reproducible(path, expected)


def test_frames_lost_without_a_word_are_noticed(sources, tmp_path, monkeypatch):
    path = tmp_path / 'damaged.mp4'
    data = bytearray(next(path for path in sources if path.name == 'mirrored.mp4').read_bytes())
    with av.open(io.BytesIO(data)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][15]
    data[packet.pos + 20 : packet.pos + packet.size] = bytes(packet.size - 20)
    path.write_bytes(data)
    assert fuzz_videos.read(str(path), str(path))['outcome'] == 'read'
    silent = fuzz_videos.VideoSource.__iter__

    def hush(self):
        try:
            yield from silent(self)
        except fuzz_videos.SourceError:
            return

    monkeypatch.setattr(fuzz_videos.VideoSource, '__iter__', hush)
    assert fuzz_videos.read(str(path), str(path))['outcome'] == 'lost silently'


def test_a_run_that_was_stopped_goes_on(sources, tmp_path, monkeypatch, capsys):
    folder, out = tmp_path / 'videos', tmp_path / 'fuzz.json'
    folder.mkdir()
    (folder / 'clip.avi').write_bytes(sources[1].read_bytes())
    monkeypatch.setattr(fuzz_videos, 'write_kinds', lambda folder: folder.mkdir() or [])
    read_all, given = fuzz_videos.read_all, []

    def stop_after(number):
        def read_some(mutants, args):
            given.append([mutant['index'] for mutant in mutants])
            for i, result in enumerate(read_all(mutants, args)):
                if i == number:
                    raise KeyboardInterrupt
                yield result

        return read_some

    monkeypatch.setattr(sys, 'argv', ['fuzz', str(folder), '--mutants', '4', '--out', str(out)])
    monkeypatch.setattr(fuzz_videos, 'read_all', stop_after(2))
    with pytest.raises(KeyboardInterrupt):
        fuzz_videos.main()
    assert not out.exists()
    monkeypatch.setattr(fuzz_videos, 'read_all', stop_after(None))
    with pytest.raises(SystemExit) as end:
        fuzz_videos.main()
    assert end.value.code == 0 and given == [[0, 1, 2, 3], [2, 3]]
    assert '4 mutants' in capsys.readouterr().out and out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['fuzz.json', 'videos']
