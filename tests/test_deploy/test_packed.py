from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import textwrap
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


@pytest.mark.parametrize('compression', ['zlib', 'context'])
def test_a_chunk_cannot_expand_without_bound(tmp_path, encoder_file, compression):
    import zlib

    path, shape = tmp_path / 'x.bdq', (4000, 4000)
    with PackedWriter(path, load_form(encoder_file), shape, compression=compression) as writer:
        writer.write(np.zeros(shape, np.uint8), 0)
    whole = path.read_bytes()
    start = whole.index(b'BDQC', 8)
    bomb = zlib.compress(bytes(50_000_000)) if compression == 'zlib' else bytes(1000)
    head = struct.pack('<II', 3, len(bomb))
    crc = zlib.crc32(bomb, zlib.crc32(head))
    path.write_bytes(whole[:start] + struct.pack('<4sIII', b'BDQC', 3, len(bomb), crc) + bomb)
    with pytest.raises(PackedError, match='no chunk begins here|another number of codes'):
        PackedReader(path).read()


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
