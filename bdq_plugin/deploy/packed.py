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
import json
import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..camera_form import CameraForm

MAGIC = b'BDQCODES'
VERSION = 1
COMPRESSIONS = ('zstd', 'lzma', 'zlib', 'context')
CONTEXT_LEVELS = 16
_PREFIX = struct.Struct('<8sII')
_BLOCK = struct.Struct('<4sIII')
_CHUNK, _END = b'BDQC', b'BDQE'
# A header is a few hundred bytes; anything near this is damage, not a header.
_MAX_HEADER = 1 << 20
# Larger frames than 16,384 x 5,461 in colour in a header are damage, not frames.
_MAX_VALUES = 1 << 28


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
        path: file to make; an existing one is replaced.
        form: the encoder that made the codes.
        shape: of every frame of codes, (H, W) or (H, W, C).
        frame_rate: nominal frames a second; the times of the frames are what counts.
        chunk_frames: frames a chunk. More compress better; a crash loses at most one chunk.
        compression: ``'zstd'`` (the package zstandard), ``'lzma'``, ``'zlib'``, or ``'context'``
            (the package numba, 16 levels at most); None takes zstd where it is installed, else
            zlib.

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
        frame_rate = Fraction(frame_rate)
        self.path, self.shape, self.chunk_frames = Path(path), tuple(shape), chunk_frames
        self.compression, self.num_levels = compression, form.num_levels
        self._pending: list[tuple[int, np.ndarray]] = []
        self._frames = 0
        header = {
            'format': 'bdq-codes',
            'version': VERSION,
            'form': _base_dict(form),
            'shape': list(shape),
            'frame_rate': [frame_rate.numerator, frame_rate.denominator],
            'chunk_frames': chunk_frames,
            'compression': compression,
        }
        text = json.dumps(header).encode()
        # Unbuffered: what `_append` returns from has left this process.
        self._file = open(self.path, 'wb', buffering=0)  # noqa: SIM115
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
        self._pending.append((time_ms, codes.copy()))
        if len(self._pending) == self.chunk_frames:
            self._flush()

    def close(self) -> None:
        """Write what is pending and the end mark. Safe to call again."""
        if self._file.closed:
            return
        try:
            self._flush()
            self._append(_block(_END, self._frames, b''))
        finally:
            self._file.close()

    def __enter__(self) -> PackedWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        times = np.array([time for time, _ in pending], '<u8')
        codes = np.stack([codes for _, codes in pending])
        if codes.max() >= self.num_levels:
            raise ValueError(
                f'{self.path} holds levels from 0 to {self.num_levels - 1}, got {codes.max()}'
            )
        if codes.ndim == 4:
            codes = np.moveaxis(codes, -1, 1)
        if self.compression == 'context':
            payload = times.tobytes() + _coder().encode_codes(codes, self.num_levels)
        else:
            raw = times.tobytes() + pack_bits(codes, bits_per_code(self.num_levels))
            payload = _compress(raw, self.compression)
        self._append(_block(_CHUNK, len(pending), payload))
        self._frames += len(pending)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            # Half a chunk would read as damage: leave the file as it was before.
            with suppress(OSError):  # what is no regular file has no length
                self._file.truncate(self.bytes_written)
            self._file.close()
            raise OSError(
                error.errno,
                f'{error.strerror}; {self.path} holds the {self._frames} frames encoded so far. '
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
        complete (bool | None): after reading to the end, whether the end mark was there; a file
            without it was cut off between two chunks.

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
        try:
            self.form = CameraForm.from_dict(header['form'])
            self.shape = tuple(int(n) for n in header['shape'])
            self.frame_rate = Fraction(*header['frame_rate'])
            self.chunk_frames = int(header['chunk_frames'])
            self.compression = str(header['compression'])
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise PackedError(f'{self.path}: its header is malformed ({error})') from error
        if len(self.shape) not in (2, 3) or not 1 <= self._values(1) <= _MAX_VALUES:
            raise PackedError(f'{self.path}: its header names frames of {self.shape}')
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
        for times, codes in self.chunks():
            yield from zip(times.tolist(), codes, strict=True)

    def read(self) -> np.ndarray:
        """All codes: uint8 of shape (T, H, W) or (T, H, W, C)."""
        chunks = [codes for _, codes in self.chunks()]
        return np.concatenate(chunks) if chunks else np.empty((0, *self.shape), np.uint8)

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Times uint64 (T,) in ms and codes uint8 (T, H, W[, C]) of one chunk after the other."""
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
                chunk = self._unpack(frames, payload, done)
                done += frames
                yield chunk
        self.complete = False

    def _values(self, frames: int) -> int:
        values = frames
        for n in self.shape:
            values *= n
        return values

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
        except ValueError as error:
            raise PackedError(f'{self.path}: its header is malformed ({error})') from error
        if not isinstance(header, dict) or header.get('version') != VERSION:
            raise PackedError(f'{self.path} has another version than {VERSION}: update bdq_plugin')
        return header

    def _read_block(self, head: bytes, file: Any, done: int) -> tuple[bytes, int, bytes]:
        if len(head) < _BLOCK.size:
            raise self._damage(done, 'it breaks off')
        kind, frames, length, crc = _BLOCK.unpack(head)
        # Before the length is believed: no chunk is longer than its codes at one byte each.
        limit = 2 * self._values(self.chunk_frames) + 8 * self.chunk_frames + 4096
        if kind not in (_CHUNK, _END) or length > limit:
            raise self._damage(done, 'no chunk begins here')
        payload = file.read(length)
        if len(payload) < length:
            raise self._damage(done, 'it breaks off')
        if _checksum(frames, payload) != crc:
            raise self._damage(done, 'the checksum is wrong')
        return kind, frames, payload

    def _unpack(self, frames: int, payload: bytes, done: int) -> tuple[np.ndarray, np.ndarray]:
        if not 1 <= frames <= self.chunk_frames:
            raise self._damage(done, 'a chunk holds another number of frames than it may')
        channels, (height, width) = self.shape[2:], self.shape[:2]
        if self.compression == 'context':
            raw, coded = payload[: 8 * frames], payload[8 * frames :]
            if len(raw) < 8 * frames or self._values(frames) > _coder().CODES_A_BYTE * len(coded):
                raise self._damage(done, 'a chunk holds another number of codes than it says')
            shape = (frames, *channels, height, width)
            codes = _coder().decode_codes(coded, shape, self.form.num_levels)
        else:
            raw, codes = self._unpack_bits(frames, payload, done)
            codes = codes.reshape(frames, *channels, height, width)
        times = np.frombuffer(raw, '<u8', frames)
        return times, np.ascontiguousarray(np.moveaxis(codes, 1, -1)) if channels else codes

    def _unpack_bits(self, frames: int, payload: bytes, done: int) -> tuple[bytes, np.ndarray]:
        bits = bits_per_code(self.form.num_levels)
        size = 8 * frames + -(-self._values(frames) * bits // 8)
        try:
            raw = _decompress(payload, self.compression, size)
        except Exception as error:
            raise self._damage(done, f'it does not decompress ({error})') from error
        if len(raw) != size:
            raise self._damage(done, 'a chunk holds another number of codes than it says')
        return raw, unpack_bits(raw[8 * frames :], bits, self._values(frames))


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
    flat = np.pad(flat, (0, -flat.size % per_byte)).reshape(-1, per_byte)
    packed = np.zeros(len(flat), np.uint8)
    for place in range(per_byte):
        packed |= flat[:, place] << np.uint8(bits * place)
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


def _compress(data: bytes, compression: str) -> bytes:
    if compression == 'zstd':
        import zstandard

        return zstandard.ZstdCompressor(level=6).compress(data)
    return zlib.compress(data, 6) if compression == 'zlib' else lzma.compress(data, preset=2)


def _decompress(data: bytes, compression: str, size: int) -> bytes:
    """At most one byte more than ``size``, whatever a forged file would expand to."""
    if compression == 'zstd':
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(data).read(size + 1)
    tool = zlib.decompressobj() if compression == 'zlib' else lzma.LZMADecompressor()
    return tool.decompress(data, size + 1)
