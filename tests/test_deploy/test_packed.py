from __future__ import annotations

import errno
import json
import lzma
import os
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdq_plugin.deploy import CameraForm, PackedError, PackedReader, PackedWriter, load_form
from bdq_plugin.deploy.packed import (
    COMPRESSIONS,
    CONTEXT_LEVELS,
    bits_per_code,
    has_zstd,
    pack_bits,
    unpack_bits,
)
from tests.test_deploy.conftest import bare_site, moving_frames


def form_with(levels: int) -> CameraForm:
    return CameraForm((256,), 'replicate', True, tuple(range(levels - 1)), 0.0, -0.25, 0.1)


def codes_of(levels: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, levels, shape, dtype=np.uint8)


@pytest.fixture(params=['zlib', 'context'])
def packed(request, tmp_path, encoder_file):
    """A file of 10 frames in chunks of 3, and its codes."""
    path, codes = tmp_path / 'codes.bdq', codes_of(16, (10, 9, 7, 3))
    form, compression = load_form(encoder_file), request.param
    with PackedWriter(
        path, form, codes.shape[1:], chunk_frames=3, compression=compression
    ) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)
    return path, codes


@settings(deadline=None, max_examples=40)
@given(
    levels=st.integers(2, 256),
    shape=st.sampled_from([(1, 1), (3, 5), (4, 2, 3), (1, 1, 1)]),
    frames=st.integers(0, 7),
    chunk=st.integers(1, 4),
    compression=st.sampled_from(COMPRESSIONS),
)
def test_round_trip(tmp_path_factory, levels, shape, frames, chunk, compression):
    if compression == 'zstd' and not has_zstd():
        compression = 'zlib'
    levels = min(levels, CONTEXT_LEVELS) if compression == 'context' else levels
    path = tmp_path_factory.mktemp('packed') / 'x.bdq'
    codes, form = codes_of(levels, (frames, *shape)), form_with(levels)
    rate = Fraction(30000, 1001)
    with PackedWriter(
        path, form, shape, frame_rate=rate, chunk_frames=chunk, compression=compression
    ) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, 33 * i + i % 2)
    assert writer.bytes_written == path.stat().st_size
    reader = PackedReader(path)
    assert (reader.form, reader.shape, reader.frame_rate) == (form, shape, rate)
    assert reader.complete is None
    assert np.array_equal(reader.read(), codes) and reader.read().dtype == np.uint8
    assert reader.complete is True
    times = [time for time, _ in reader.frames()]
    assert times == [33 * i + i % 2 for i in range(frames)]
    for given_frame, frame in zip(reader, codes, strict=True):
        assert np.array_equal(given_frame, frame)


@pytest.mark.parametrize('levels', [2, 3, 4, 5, 16, 17, 256])
def test_bits(levels):
    bits = bits_per_code(levels)
    codes = codes_of(levels, (13,))
    data = pack_bits(codes, bits)
    assert len(data) == -(-13 * bits // 8)
    assert np.array_equal(unpack_bits(data, bits, 13), codes)


def test_sixteen_levels_take_four_bits_or_fewer(packed):
    path, codes = packed
    assert path.stat().st_size < codes.size / 2 + 1600


def test_every_damaged_byte_is_noticed_and_all_before_it_is_given(packed):
    path, codes = packed
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        given_frames = []
        with pytest.raises(PackedError) as error:
            for frame in PackedReader(path):
                given_frames.append(frame)
        assert str(path) in str(error.value)
        assert error.value.frames == len(given_frames)
        assert np.array_equal(np.array(given_frames), codes[: len(given_frames)]) or not (
            given_frames
        )
    assert len(given_frames) == 10, 'damage in the end mark costs no frame'


def test_every_truncation_is_noticed(packed):
    path, codes = packed
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        given_frames = []
        try:
            reader = PackedReader(path)
            for frame in reader:
                given_frames.append(frame)
            assert reader.complete is False, 'only a cut between two chunks may pass'
        except PackedError as error:
            assert error.frames == len(given_frames)
        assert all(np.array_equal(a, b) for a, b in zip(given_frames, codes, strict=False))


def test_a_file_whose_writer_died_is_valid_up_to_the_last_chunk(tmp_path, encoder_file):
    path = tmp_path / 'dead.bdq'
    start = bare_site(tmp_path / 'site-packages', 'numpy')
    script = f"""
        import os
        import numpy as np
        from bdq_plugin.deploy import PackedWriter, load_form
        writer = PackedWriter({str(path)!r}, load_form({str(encoder_file)!r}), (4, 4),
                              chunk_frames=3)
        for i in range(8):
            writer.write(np.full((4, 4), i, np.uint8), i)
        os._exit(9)
    """
    done = subprocess.run([sys.executable, '-c', start + textwrap.dedent(script)], cwd=tmp_path)
    assert done.returncode == 9
    reader = PackedReader(path)
    assert [int(frame[0, 0]) for frame in reader] == [0, 1, 2, 3, 4, 5]
    assert reader.complete is False


def test_a_writer_that_is_stopped_behind_a_chunk_does_not_write_it_again(
    tmp_path, encoder_file, monkeypatch
):
    codes = codes_of(16, (4, 9, 7, 3))
    append = PackedWriter._append

    def stopped(self, *data):
        append(self, *data)
        monkeypatch.undo()
        raise MemoryError

    path = tmp_path / 'x.bdq'
    with (
        pytest.raises(MemoryError),
        PackedWriter(path, load_form(encoder_file), codes.shape[1:], chunk_frames=4) as writer,
    ):
        monkeypatch.setattr(PackedWriter, '_append', stopped)
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)
    assert np.array_equal(PackedReader(path).read(), codes)


def test_a_full_disk_leaves_a_valid_file(tmp_path, encoder_file):
    path, codes = tmp_path / 'full.bdq', codes_of(16, (12, 40, 40))
    writer = PackedWriter(path, load_form(encoder_file), (40, 40), chunk_frames=3)
    real_write = writer._file.write

    class FullDisk:
        """Takes 6,000 bytes, then half of the next piece, then nothing."""

        def __getattr__(self, name):
            return getattr(real_write.__self__, name)

        def write(self, data):
            room = 6000 - real_write.__self__.tell()
            if room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real_write(bytes(data)[:room])

    writer._file = FullDisk()
    with pytest.raises(OSError, match='No space left') as error:
        for i, frame in enumerate(codes):
            writer.write(frame, i)
    assert str(path) in str(error.value)
    writer.close()
    given_frames = PackedReader(path).read()
    assert 0 < len(given_frames) < 12 and len(given_frames) % 3 == 0
    assert np.array_equal(given_frames, codes[: len(given_frames)])
    assert f'the {len(given_frames)} frames encoded so far' in str(error.value)


def forge(path, form, shape, compression, frames, payload, **header) -> None:
    """A file with right checksums whose only chunk is ``payload``."""
    header = dict(
        version=1,
        form=form.to_dict(),
        shape=shape,
        frame_rate=[25, 1],
        chunk_frames=frames,
        compression=compression,
        **header,
    )
    text = json.dumps(header).encode()
    head = struct.pack('<II', frames, len(payload))
    path.write_bytes(
        struct.pack('<8sII', b'BDQCODES', len(text), zlib.crc32(text))
        + text
        + b'BDQC'
        + head
        + struct.pack('<I', zlib.crc32(payload, zlib.crc32(head)))
        + payload
    )


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_what_a_file_claims_costs_no_memory(tmp_path, encoder_file, compression):
    """A small file of 100 frames of two megapixels, which it may really hold."""
    path, frames, shape = tmp_path / 'x.bdq', 100, (1080, 1920)
    values = frames * shape[0] * shape[1]
    raw = bytes(8 * frames + values // 2)
    if compression == 'context':
        payload = bytes(8 * frames + values // 8000)
    elif compression == 'zstd':
        zstandard = pytest.importorskip('zstandard')
        payload = zstandard.compress(raw)
    else:
        payload = zlib.compress(raw, 1) if compression == 'zlib' else lzma.compress(raw, preset=0)
    del raw
    forge(path, load_form(encoder_file), shape, compression, frames, payload)
    assert path.stat().st_size < values / 200
    first = next(iter(PackedReader(path)))  # whatever is imported and compiled only once
    tracemalloc.start()
    try:
        given = PackedReader(path).frames()
        for _, (time_ms, codes) in zip(range(3), given, strict=False):
            assert time_ms == 0 and np.array_equal(codes, first)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * first.size + 2 * len(payload)


@pytest.mark.parametrize('compression', ['zstd', 'zlib', 'lzma'])
def test_a_chunk_of_another_size_than_it_says(tmp_path, encoder_file, compression):
    if compression == 'zstd' and not has_zstd():
        compression = 'zlib'
    compress = {'zlib': zlib.compress, 'lzma': lzma.compress}.get(compression)
    if compress is None:
        import zstandard

        compress = zstandard.compress
    path, form = tmp_path / 'x.bdq', load_form(encoder_file)
    for codes in (3 * 40 - 1, 3 * 40 + 1, 6 * 10**7):
        forge(path, form, (8, 10), compression, 3, compress(bytes(24 + codes)))
        tracemalloc.start()
        with pytest.raises(PackedError, match='another number of codes'):
            PackedReader(path).read()
        assert tracemalloc.get_traced_memory()[1] < 3 * 10**7
        tracemalloc.stop()
    forge(path, form, (8, 10), compression, 3, compress(bytes(24 + 120))[:-6])
    with pytest.raises(PackedError, match='after frame'):
        PackedReader(path).read()
    sixteen = dict(form.to_dict(), thresholds=form.thresholds[:9])
    forge(path, CameraForm.from_dict(sixteen), (8, 10), compression, 1, compress(b'\xbb' * 48))
    with pytest.raises(PackedError, match='11 is no level of the encoder'):
        PackedReader(path).read()


def test_a_length_that_the_file_does_not_have(tmp_path, encoder_file):
    path = tmp_path / 'x.bdq'
    forge(path, load_form(encoder_file), (4000, 4000), 'zlib', 30, b'')
    data = path.read_bytes()
    path.write_bytes(data[:-8] + struct.pack('<II', 200_000_000, 0))
    reader = PackedReader(path)
    tracemalloc.start()
    with pytest.raises(PackedError, match='breaks off'):
        next(iter(reader))
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize(
    'header',
    [
        dict(shape=[16384, 16384]),
        dict(shape=[-4, -4]),
        dict(shape=[4, 4, 4, 4]),
        dict(frame_rate=[0, 1]),
        dict(frame_rate=[1, 0]),
        dict(frame_rate=[1e999, 1]),
        dict(frame_rate=['1e999999999']),
        dict(frame_rate=[10**9, 1]),
        dict(chunk_frames='many'),
        '[' * 100_000,
    ],
    ids=lambda header: str(header)[:30],
)
def test_headers_that_no_writer_makes(tmp_path, encoder_file, header):
    path, form = tmp_path / 'x.bdq', load_form(encoder_file)
    forge(path, form, (4, 4), 'zlib', 1, b'')
    data = path.read_bytes()
    size = struct.unpack('<I', data[8:12])[0]
    if isinstance(header, dict):
        header = json.dumps({**json.loads(data[16 : 16 + size]), **header})
    text = header.encode()
    path.write_bytes(struct.pack('<8sII', b'BDQCODES', len(text), zlib.crc32(text)) + text)
    with pytest.raises(PackedError, match=r'x\.bdq'):
        PackedReader(path)


def test_large_frames_make_short_chunks(tmp_path, encoder_file):
    codes = codes_of(16, (3, 1080, 1920, 3))
    with PackedWriter(tmp_path / 'x.bdq', load_form(encoder_file), codes.shape[1:]) as writer:
        assert writer.chunk_frames == 2
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)
        assert writer.frames == 2
    reader = PackedReader(tmp_path / 'x.bdq')
    assert (writer.frames, reader.num_frames, reader.chunk_frames) == (3, 3, 2)
    assert np.array_equal(reader.read(), codes)


@pytest.mark.parametrize('levels', [2, 3, 16])
@pytest.mark.parametrize('colour', [False, True])
def test_context_is_smaller_than_all_others(tmp_path, levels, colour):
    """And exact, for smooth codes with noise as cameras give, also of odd numbers of levels."""
    codes = moving_frames(12, 37, 51).astype(int) * levels // 256
    codes = (codes if colour else codes[..., 0]).astype(np.uint8)
    sizes = {}
    for compression in COMPRESSIONS:
        if compression == 'zstd' and not has_zstd():
            continue
        path = tmp_path / f'{compression}.bdq'
        with PackedWriter(
            path, form_with(levels), codes.shape[1:], compression=compression
        ) as writer:
            for i, frame in enumerate(codes):
                writer.write(frame, 40 * i)
        assert np.array_equal(PackedReader(path).read(), codes)
        sizes[compression] = path.stat().st_size
    assert sizes.pop('context') < 0.85 * min(sizes.values())


def test_context_files_are_read_without_numba(tmp_path, encoder_file):
    codes = codes_of(16, (3, 20, 11, 3)) // 3
    with PackedWriter(
        tmp_path / 'x.bdq', load_form(encoder_file), codes.shape[1:], compression='context'
    ) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, i)
    start = bare_site(tmp_path / 'site-packages', 'numpy')
    script = """
        import numpy as np
        from bdq_plugin.deploy import PackedReader, PackedWriter
        reader = PackedReader('x.bdq')
        codes = reader.read()
        np.save('x.npy', codes)
        with PackedWriter('y.bdq', reader.form, reader.shape, compression='context') as writer:
            for i, frame in enumerate(codes):
                writer.write(frame, i)
    """
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-c', start + textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / 'x.npy'), codes)
    assert (tmp_path / 'y.bdq').read_bytes() == (tmp_path / 'x.bdq').read_bytes()


def test_mistakes_of_callers(tmp_path, encoder_file):
    form = load_form(encoder_file)
    with pytest.raises(FileNotFoundError, match='nothing'):
        PackedReader(tmp_path / 'nothing.bdq')
    (tmp_path / 'text.bdq').write_text('text')
    with pytest.raises(PackedError, match='does not begin'):
        PackedReader(tmp_path / 'text.bdq')
    with pytest.raises(ValueError, match='unknown compression'):
        PackedWriter(tmp_path / 'a.bdq', form, (4, 4), compression='rar')
    with pytest.raises(ValueError, match=r'\(H, W\)'):
        PackedWriter(tmp_path / 'a.bdq', form, (4,))
    with pytest.raises(OSError, match='nowhere'):
        PackedWriter(tmp_path / 'nowhere' / 'a.bdq', form, (4, 4))
    with pytest.raises(ValueError, match='16 levels at most, the encoder has 17'):
        PackedWriter(tmp_path / 'a.bdq', form_with(17), (4, 4), compression='context')
    writer = PackedWriter(tmp_path / 'a.bdq', form, (4, 4), chunk_frames=1)
    with pytest.raises(ValueError, match='takes uint8 frames'):
        writer.write(np.zeros((5, 4), np.uint8), 0)
    with pytest.raises(ValueError, match='levels from 0 to 15, got 16'):
        writer.write(np.full((4, 4), 16, np.uint8), 0)
    with pytest.raises(ValueError, match='values at most'):
        PackedWriter(tmp_path / 'a.bdq', form, (16384, 16384))
    writer = PackedWriter(tmp_path / 'a.bdq', form, (4, 4))
    writer.write(np.zeros((4, 4), np.uint8), 40)
    with pytest.raises(ValueError, match='39 ms is behind'):
        writer.write(np.zeros((4, 4), np.uint8), 39)
