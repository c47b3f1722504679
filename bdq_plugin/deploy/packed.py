"""Packed codes, ``.bdq``: what leaves the camera, in as few bits as plain tools allow.

::

    file    = magic "BDQCODES" | length u32 | CRC32 u32 | header (JSON, UTF-8) | chunk* | end
    chunk   = "BDQC" | frames u32 | length u32 | CRC32 u32 | payload
    end     = "BDQE" | frames in all u32 | 0 u32 | CRC32 u32
    payload = compressed( times u64[frames] in ms from the first frame | codes )
    codes   = levels [frame, channel, row, column], 1, 2, 4 or 8 bits each, low bits first

With compression ``'context'`` the times stand as they are and the codes are those of
:mod:`.context_coder`: the fewest bits, more slowly.

All numbers are little-endian. A chunk's CRC32 covers its frames, its length and its payload, so
damage anywhere in a chunk is noticed. A file without the end mark was cut off between two chunks
and is otherwise whole.

Otherwise codes are packed to whole bits and then compressed. Predicting them first, from the frame
before or the row above, makes files of 16 levels larger (``python -m benchmarks.run packing``):
what stands still is noise around a threshold.
"""

from __future__ import annotations

import importlib.util
import io
import json
import lzma
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..camera_form import CameraForm
from .sinks import is_stream, open_sink, shown

MAGIC = b'BDQCODES'
VERSION = 1
COMPRESSIONS = ('zstd', 'lzma', 'zlib', 'context')
CONTEXT_LEVELS = 16
_PREFIX = struct.Struct('<8sII')
_BLOCK = struct.Struct('<4sIII')
_CHUNK, _END = b'BDQC', b'BDQE'
# A header is a few hundred bytes; anything near this is damage, not a header.
_MAX_HEADER = 1 << 20
# Values of a frame, channels counted: 8K in colour has 100 million.
MAX_VALUES = 1 << 27
# Codes that wait in memory for their chunk to be full, unless one frame has more.
CHUNK_VALUES = 1 << 24
# Compressed data is expanded by so many bytes at a time: what it claims to hold costs no memory.
_PIECE = 1 << 20
# A decompressor looks back so far at most, 16 times what the writer's levels do.
_WINDOW = 1 << 25
# From so many values of a frame on, zstd works at the level that keeps up with 25 frames a second.
_LARGE_FRAME = 1 << 21


class PackedError(OSError):
    """A packed file is damaged or cut off; the message says where.

    Attributes:
        frames (int): number of frames that stand before the damage and can be read.
    """

    def __init__(self, message: str, frames: int = 0) -> None:
        super().__init__(message)
        self.frames = frames


class PackedWriter:
    """Write codes to a ``.bdq`` file, chunk by chunk: what is written stays readable.

    Args:
        path: file to make; an existing one is replaced. Or ``-``, standard output, or an address
            of :mod:`.sinks`.
        form: the encoder that made the codes.
        shape: of every frame of codes, (H, W) or (H, W, C).
        frame_rate: nominal frames a second; the times of the frames are what counts.
        chunk_frames: frames a chunk, fewer where they have more than 16 million values together.
            More compress better; a crash loses at most one chunk.
        compression: ``'zstd'`` (the package zstandard), ``'lzma'``, ``'zlib'``, or ``'context'``
            (the package numba, 16 levels at most); None takes zstd where it is installed, else
            zlib.
        timeout: seconds that an address may take to accept what is sent.

    Attributes:
        frames (int): how many the file holds; those of an unfinished chunk are none of them.

    Raises:
        OSError: the file cannot be written. What was written before remains a valid file.

    Example:
        >>> with PackedWriter('out.bdq', stream.form, (480, 640, 3), frame_rate=25) as writer:
        ...     writer.write(stream(frame), time_ms=40)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        form: CameraForm,
        shape: tuple[int, ...],
        *,
        frame_rate: Fraction | int = 25,
        chunk_frames: int = 30,
        compression: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        compression = compression or ('zstd' if has_zstd() else 'zlib')
        if compression not in COMPRESSIONS:
            raise ValueError(f"unknown compression '{compression}': choose one of {COMPRESSIONS}")
        if compression == 'zstd' and not has_zstd():
            raise ValueError("compression 'zstd' needs `pip install zstandard`; or choose 'zlib'")
        if compression == 'context' and form.num_levels > CONTEXT_LEVELS:
            raise ValueError(
                f"compression 'context' takes {CONTEXT_LEVELS} levels at most, the encoder has "
                f"{form.num_levels}: choose 'zstd' or 'lzma'"
            )
        if len(shape) not in (2, 3) or min(shape) < 1 or chunk_frames < 1:
            raise ValueError(
                f'frames are (H, W) or (H, W, C) and chunks of 1 frame or more, got {shape} and '
                f'{chunk_frames}'
            )
        values = math.prod(shape)
        if values > MAX_VALUES:
            raise ValueError(f'frames have {MAX_VALUES:,} values at most, got {shape}')
        frame_rate = Fraction(frame_rate)
        self.path, self.shape = shown(path), tuple(shape)
        self.chunk_frames = min(chunk_frames, max(1, CHUNK_VALUES // values))
        self.compression, self.num_levels = compression, form.num_levels
        self.frames = 0
        self._times: list[int] = []
        # Channels first, as they are written.
        self._codes = np.empty((self.chunk_frames, *shape[2:], *shape[:2]), np.uint8)
        header = {
            'format': 'bdq-codes',
            'version': VERSION,
            'form': _base_dict(form),
            'shape': list(shape),
            'frame_rate': [frame_rate.numerator, frame_rate.denominator],
            'chunk_frames': self.chunk_frames,
            'compression': compression,
        }
        text = json.dumps(header).encode()
        # Unbuffered: what `_append` returns from has left this process.
        if is_stream(path):
            self._file = open_sink(os.fspath(path), timeout)
        else:
            self._file = open(path, 'wb', buffering=0)  # noqa: SIM115
        self.bytes_written = 0
        try:
            self._append(_PREFIX.pack(MAGIC, len(text), zlib.crc32(text)) + text)
        except OSError:
            self._file.close()
            raise

    def write(self, codes: np.ndarray, time_ms: int) -> None:
        """Add a frame.

        Args:
            codes: uint8 levels of the writer's shape.
            time_ms: milliseconds from the first frame, 0 or more and not falling.
        """
        if codes.shape != self.shape or codes.dtype != np.uint8:
            raise ValueError(
                f'{self.path} takes uint8 frames of {self.shape}, got {codes.dtype} {codes.shape}'
            )
        if codes.max() >= self.num_levels:
            raise ValueError(
                f'{self.path} holds levels from 0 to {self.num_levels - 1}, got {codes.max()}'
            )
        if time_ms < (self._times[-1] if self._times else 0):
            raise ValueError(f'{self.path}: a frame at {time_ms} ms is behind the one before it')
        self._codes[len(self._times)] = np.moveaxis(codes, -1, 0) if codes.ndim == 3 else codes
        self._times.append(time_ms)
        if len(self._times) == self.chunk_frames:
            self._flush()

    def close(self) -> None:
        """Write what is pending and the end mark. Safe to call again."""
        if self._file.closed:
            return
        try:
            self._flush()
            self._append(_block(_END, self.frames, b''))
        finally:
            self._file.close()

    def __enter__(self) -> PackedWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _flush(self) -> None:
        frames = len(self._times)
        if not frames:
            return
        times, codes = np.array(self._times, '<u8').tobytes(), self._codes[:frames]
        if self.compression == 'context':
            payload = times + _coder().encode_codes(codes, self.num_levels)
        else:
            raw = times + pack_bits(codes, bits_per_code(self.num_levels))
            level = 3 if codes[0].size >= _LARGE_FRAME else 6
            payload = _compress(raw, self.compression, level)
        # First: what is stopped behind the chunk, and closed then, must not write it again.
        self._times.clear()
        self.frames += frames
        self._append(_block(_CHUNK, frames, payload), frames)

    def _append(self, data: bytes, frames: int = 0) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            # Half a chunk would read as damage: leave the file as it was before.
            with suppress(OSError):  # what is no regular file has no length
                self._file.truncate(self.bytes_written)
            self._file.close()
            self.frames -= frames
            raise OSError(
                error.errno,
                f'{error.strerror}; {self.path} holds the {self.frames} frames encoded so far. '
                'Free space or choose another disk',
            ) from error
        self.bytes_written += len(data)


class PackedReader:
    """Read a ``.bdq`` file: iterate over its frames of codes, or take them all.

    Args:
        path: the file.

    Attributes:
        form (CameraForm): the encoder that made the codes.
        shape (tuple): of every frame, (H, W) or (H, W, C).
        frame_rate (Fraction): nominal frames a second.
        num_frames (int): what the end mark says, unchecked; 0 without one.
        complete (bool | None): after reading to the end, whether the end mark was there; a file
            without it was cut off between two chunks.

    It takes the memory of one compressed chunk and of a few frames, whatever the file claims.

    Raises:
        FileNotFoundError: no such file.
        PackedError: not such a file, or its header is damaged.

    Example:
        >>> reader = PackedReader('out.bdq')
        >>> for codes in reader:  # uint8, (H, W) or (H, W, C)
        ...     values = bdq_plugin.deploy.decode(reader.form, codes)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'no packed file {self.path}')
        self.complete: bool | None = None
        with open(self.path, 'rb') as file:
            header = self._read_header(file.read(_PREFIX.size), file)
            self._start = file.tell()
            self.num_frames = _frames_of_end_mark(file)
        try:
            self.form = CameraForm.from_dict(header['form'])
            self.shape = tuple(int(n) for n in header['shape'])
            numerator, denominator = header['frame_rate']
            self.frame_rate = Fraction(int(numerator), int(denominator))
            self.chunk_frames = int(header['chunk_frames'])
            self.compression = str(header['compression'])
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise PackedError(f'{self.path}: its header is malformed ({error})') from error
        fits = len(self.shape) in (2, 3) and min(self.shape) > 0
        if not fits or math.prod(self.shape) > MAX_VALUES:
            raise PackedError(f'{self.path}: its header names frames of {self.shape}')
        if not 0 < self.frame_rate <= 10**6:
            raise PackedError(f'{self.path}: its header names {self.frame_rate} frames a second')
        if self.compression not in COMPRESSIONS:
            raise PackedError(f"{self.path}: unknown compression '{self.compression}'")
        if self.compression == 'zstd' and not has_zstd():
            raise PackedError(f'{self.path} is compressed with zstd: `pip install zstandard`')
        if self.compression == 'context' and self.form.num_levels > CONTEXT_LEVELS:
            raise PackedError(f'{self.path}: its header names {self.form.num_levels} levels')

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames of codes, in order; see :meth:`frames`."""
        return (codes for _, codes in self.frames())

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Milliseconds from the first frame, and codes, for every frame in order.

        Raises:
            PackedError: at damage, after every frame before it was given.
        """
        done = 0
        with open(self.path, 'rb') as file:
            file.seek(self._start)
            while head := file.read(_BLOCK.size):
                kind, frames, payload = self._read_block(head, file, done)
                if kind == _END:
                    if frames != done or file.read(1):
                        raise self._damage(done, 'the end mark is out of place')
                    self.complete = True
                    return
                for time_ms, codes in self._unpack(frames, payload, done):
                    if codes.max() >= self.form.num_levels:
                        raise self._damage(done, f'{codes.max()} is no level of the encoder')
                    if codes.ndim == 3:
                        codes = np.ascontiguousarray(np.moveaxis(codes, 0, -1))
                    yield time_ms, codes
                    done += 1
        self.complete = False

    def read(self) -> np.ndarray:
        """All codes: uint8 of shape (T, H, W) or (T, H, W, C)."""
        frames = list(self)
        return np.stack(frames) if frames else np.empty((0, *self.shape), np.uint8)

    def _damage(self, done: int, what: str) -> PackedError:
        return PackedError(
            f'{self.path} is damaged after frame {done}: {what}. The {done} frames before can be '
            'read; copy the file anew from its source',
            done,
        )

    def _read_header(self, prefix: bytes, file: Any) -> dict[str, Any]:
        if len(prefix) < _PREFIX.size or not prefix.startswith(MAGIC):
            raise PackedError(f'{self.path} is not a packed file: it does not begin with {MAGIC}')
        _, length, crc = _PREFIX.unpack(prefix)
        text = file.read(min(length, _MAX_HEADER))
        if len(text) != length or zlib.crc32(text) != crc:
            raise PackedError(f'{self.path}: its header is damaged; copy the file anew')
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PackedError(f'{self.path}: its header is malformed ({error})') from error
        if not isinstance(header, dict) or header.get('version') != VERSION:
            raise PackedError(f'{self.path} has another version than {VERSION}: update bdq_plugin')
        return header

    def _read_block(self, head: bytes, file: Any, done: int) -> tuple[bytes, int, bytes]:
        if len(head) < _BLOCK.size:
            raise self._damage(done, 'it breaks off')
        kind, frames, length, crc = _BLOCK.unpack(head)
        if kind not in (_CHUNK, _END):
            raise self._damage(done, 'no chunk begins here')
        # Before the length is believed, and room made for it.
        if length > os.fstat(file.fileno()).st_size - file.tell():
            raise self._damage(done, 'it breaks off')
        payload = file.read(length)
        if _checksum(frames, payload) != crc:
            raise self._damage(done, 'the checksum is wrong')
        return kind, frames, payload

    def _unpack(self, frames: int, payload: bytes, done: int) -> Iterator[tuple[int, np.ndarray]]:
        """Times, and codes (H, W) or (C, H, W), of a chunk, frame by frame."""
        if not 1 <= frames <= self.chunk_frames:
            raise self._damage(done, 'a chunk holds another number of frames than it may')
        shape, levels = (*self.shape[2:], *self.shape[:2]), self.form.num_levels
        if self.compression == 'context':
            raw, coded = payload[: 8 * frames], payload[8 * frames :]
            if frames * math.prod(shape) > _coder().CODES_A_BYTE * len(coded):
                raise self._damage(done, 'a chunk holds another number of codes than it says')
            codes = _coder().decode_frames(coded, frames, shape, levels)
        else:
            expanded = _Expanded(payload, self.compression)
            raw = self._expand(expanded, 8 * frames, done)
            codes = self._unpack_bits(expanded, frames, shape, done)
        yield from zip(np.frombuffer(raw, '<u8').tolist(), codes, strict=True)

    def _unpack_bits(
        self, expanded: _Expanded, frames: int, shape: tuple[int, ...], done: int
    ) -> Iterator[np.ndarray]:
        bits, values = bits_per_code(self.form.num_levels), math.prod(shape)
        left = np.empty(0, np.uint8)  # of a byte that two frames share
        for index in range(frames):
            missing = values - left.size
            data = self._expand(expanded, -(-missing * bits // 8), done + index)
            codes = np.concatenate([left, unpack_bits(data, bits, 8 * len(data) // bits)])
            left = codes[values:]
            # The last byte is filled up, and nothing comes behind it.
            if index == frames - 1 and (left.any() or self._more(expanded, done + index)):
                break
            yield codes[:values].reshape(shape)
        else:
            return
        raise self._damage(done, 'a chunk holds another number of codes than it says')

    def _expand(self, expanded: _Expanded, size: int, done: int) -> bytes:
        data = self._more(expanded, done, size)
        if len(data) < size:
            raise self._damage(done, 'a chunk holds another number of codes than it says')
        return data

    def _more(self, expanded: _Expanded, done: int, size: int = 1) -> bytes:
        try:
            return expanded.read(size)
        except Exception as error:
            raise self._damage(done, f'it does not decompress ({error})') from error


class _Expanded:
    """Compressed data that is expanded as it is read."""

    def __init__(self, payload: bytes, compression: str) -> None:
        self._pieces = _pieces(payload, compression)
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than ``size`` at the end alone."""
        while len(self._ready) < size and (piece := next(self._pieces, None)) is not None:
            self._ready += piece
        data = bytes(memoryview(self._ready)[:size])
        del self._ready[:size]
        return data


def _pieces(payload: bytes, compression: str) -> Iterator[bytes]:
    if compression == 'zstd':
        import zstandard

        tool = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        yield from iter(partial(tool.stream_reader(payload).read, _PIECE), b'')
    elif compression == 'lzma':
        tool, fed = lzma.LZMADecompressor(memlimit=2 * _WINDOW), payload
        while fed or not (tool.eof or tool.needs_input):
            yield tool.decompress(fed, _PIECE)
            fed = b''
        if not tool.eof:
            raise EOFError('its end is missing')
    else:
        tool, source = zlib.decompressobj(), io.BytesIO(payload)
        while fed := tool.unconsumed_tail or source.read(_PIECE):
            yield tool.decompress(fed, _PIECE)
        yield tool.flush()


def has_zstd() -> bool:
    """Whether the package zstandard is installed."""
    return importlib.util.find_spec('zstandard') is not None


def bits_per_code(num_levels: int) -> int:
    """1, 2, 4 or 8: whole codes fill a byte, which compresses better than odd widths do."""
    return next(bits for bits in (1, 2, 4, 8) if num_levels <= 1 << bits)


def pack_bits(codes: np.ndarray, bits: int) -> bytes:
    """uint8 codes of any shape to ``bits`` bits each, the first in the lowest bits of a byte."""
    per_byte = 8 // bits
    flat = codes.reshape(-1)
    if flat.size % per_byte:
        flat = np.pad(flat, (0, -flat.size % per_byte))
    packed = flat[::per_byte].copy()
    for place in range(1, per_byte):
        packed |= flat[place::per_byte] << np.uint8(bits * place)
    return packed.tobytes()


def unpack_bits(data: bytes, bits: int, count: int) -> np.ndarray:
    """The first ``count`` codes of :func:`pack_bits`: uint8, (count,)."""
    per_byte = 8 // bits
    packed = np.frombuffer(data, np.uint8)
    codes = np.empty((packed.size, per_byte), np.uint8)
    for place in range(per_byte):
        codes[:, place] = packed >> np.uint8(bits * place) & np.uint8((1 << bits) - 1)
    return codes.reshape(-1)[:count]


def _coder() -> ModuleType:
    # Here, not at the top: numba takes half a second to import.
    from . import context_coder

    return context_coder


def _base_dict(form: CameraForm) -> dict[str, Any]:
    return CameraForm.from_dict(form.to_dict()).to_dict()


def _checksum(frames: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack('<II', frames, len(payload))))


def _block(kind: bytes, frames: int, payload: bytes) -> bytes:
    return _BLOCK.pack(kind, frames, len(payload), _checksum(frames, payload)) + payload


def _compress(data: bytes, compression: str, zstd_level: int = 6) -> bytes:
    if compression == 'zstd':
        import zstandard

        return zstandard.ZstdCompressor(level=zstd_level).compress(data)
    return zlib.compress(data, 6) if compression == 'zlib' else lzma.compress(data, preset=2)


def _frames_of_end_mark(file: Any) -> int:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _BLOCK.size))
    mark = file.read(_BLOCK.size)
    if len(mark) < _BLOCK.size:
        return 0
    kind, frames, length, crc = _BLOCK.unpack(mark)
    return frames if kind == _END and length == 0 and crc == _checksum(frames, b'') else 0
