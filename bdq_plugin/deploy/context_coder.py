"""Entropy coding of codes by their neighbours: an adaptive binary range coder.

Where nothing moves, codes are noise around a threshold, but smooth noise: the blur makes
neighbours alike. Each code is coded by the four neighbours before it (left, above, above left,
above right), and in colour by the channel before it, as a row of yes-or-no decisions: upper or
lower half of the levels, then one step further from the middle, or not. What the decisions cost
adapts to how often each came out so in the same neighbourhood, from even odds at the first frame of
every block. The decoder makes the same adaptations; all arithmetic is in whole numbers.

numba compiles it. Without numba the same functions run as Python: enough to read a short file.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .compilation import compiled

_NODES = 16  # decisions about one code of 16 levels: its half, and up to 7 steps in each half
_ONE = 1 << 16  # a certainty
_LEAST = 48  # the surest decision still leaves the other answer this chance in 65,536
_SETTLED = 255  # occurrences after which a chance forgets as fast as it learns
_SHARE = np.array([int(_ONE / (count + 1.5)) for count in range(_SETTLED + 1)], np.int64)
_TOP = 0xFFFFFFFF
# A byte holds at most so many codes: the surest decision costs 0.00106 bits, and a code is one.
CODES_A_BYTE = 8192


@compiled
def _context(codes, plane, y, x, levels, channels, channel):
    """Number of the neighbourhood of ``codes[plane, y, x]``; nothing behind it is looked at."""
    left, above, corner, ahead = 0, 0, 0, 0
    if y > 0:
        above = int(codes[plane, y - 1, x])
        corner = int(codes[plane, y - 1, x - 1]) if x > 0 else above
        ahead = int(codes[plane, y - 1, x + 1]) if x + 1 < codes.shape[2] else above
    if x > 0:
        left = int(codes[plane, y, x - 1])
        if y == 0:
            above = corner = ahead = left
    else:
        left = above
    sides = 3 * ((corner > above) - (corner < above)) + (ahead > above) - (ahead < above) + 4
    number = (left * levels + above) * 9 + sides
    if channels > 1:
        number *= levels + 1
        number += int(codes[plane - 1, y, x]) + 1 if channel > 0 else 0
    return number


@compiled
def _adapt(chances, counts, place, bit):
    count, chance = int(counts[place]), int(chances[place])
    target = _ONE - _LEAST if bit else _LEAST
    chances[place] = chance + ((target - chance) * _SHARE[count] >> 16)
    if count < _SETTLED:
        counts[place] = count + 1


@compiled
def _split(low, high, chance):
    """Where the interval is cut: a yes takes the part up to here, a no what is above."""
    span = high - low
    return low + (span >> 16) * chance + ((span & 0xFFFF) * chance >> 16)


@compiled
def _encode(codes, channels, levels, chances, counts):
    out = np.empty(codes.size // 4 + 1024, np.uint8)
    size, low, high, middle = 0, 0, _TOP, levels // 2
    for plane in range(codes.shape[0]):
        channel = plane % channels
        for y in range(codes.shape[1]):
            for x in range(codes.shape[2]):
                place = _context(codes, plane, y, x, levels, channels, channel) * _NODES
                code = int(codes[plane, y, x])
                upper = code >= middle
                distance = code - middle if upper else middle - 1 - code
                most = levels - middle - 1 if upper else middle - 1
                if size + 64 > out.size:  # one code never takes so many bytes
                    larger = np.empty(2 * out.size, np.uint8)
                    larger[:size] = out[:size]
                    out = larger
                step, bit = -1, upper
                while True:
                    split = _split(low, high, int(chances[place]))
                    if bit:
                        high = split
                    else:
                        low = split + 1
                    _adapt(chances, counts, place, bit)
                    while (low ^ high) & 0xFF000000 == 0:
                        out[size] = high >> 24
                        size += 1
                        low, high = low << 8 & _TOP, high << 8 & _TOP | 255
                    place += 8 if step < 0 and upper else 1
                    if step >= 0 and not bit:
                        break
                    step += 1
                    if step == most:
                        break
                    bit = distance > step
    for shift in (24, 16, 8, 0):
        out[size] = low >> shift & 255
        size += 1
    return out[:size]


@compiled
def _decode(data, channels, levels, chances, counts, state, codes):
    """The planes of the next frame; ``state`` is where the one before has ended."""
    position, low, high, value = int(state[0]), int(state[1]), int(state[2]), int(state[3])
    middle = levels // 2
    for plane in range(codes.shape[0]):
        channel = plane % channels
        for y in range(codes.shape[1]):
            for x in range(codes.shape[2]):
                place = _context(codes, plane, y, x, levels, channels, channel) * _NODES
                upper, step, most = False, -1, 0
                while True:
                    split = _split(low, high, int(chances[place]))
                    bit = value <= split
                    if bit:
                        high = split
                    else:
                        low = split + 1
                    _adapt(chances, counts, place, bit)
                    while (low ^ high) & 0xFF000000 == 0:
                        low, high = low << 8 & _TOP, high << 8 & _TOP | 255
                        value = value << 8 & _TOP
                        value |= int(data[position]) if position < data.size else 0
                        position += 1
                    if step < 0:
                        upper = bit
                        most = levels - middle - 1 if upper else middle - 1
                    elif not bit:
                        break
                    place += 8 if step < 0 and upper else 1
                    step += 1
                    if step == most:
                        break
                codes[plane, y, x] = middle + step if upper else middle - 1 - step
    state[0], state[1], state[2], state[3] = position, low, high, value


def _fresh(channels: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    size = levels * levels * 9 * _NODES * (1 if channels == 1 else levels + 1)
    return np.full(size, _ONE // 2, np.uint16), np.zeros(size, np.uint8)


def encode_codes(codes: np.ndarray, levels: int) -> bytes:
    """uint8 codes, (T, H, W) or (T, C, H, W), below ``levels``, to bytes.

    Args:
        levels: from 2 to 16.
    """
    channels = codes.shape[1] if codes.ndim == 4 else 1
    planes = np.ascontiguousarray(codes).reshape(-1, *codes.shape[-2:])
    return _encode(planes, channels, levels, *_fresh(channels, levels)).tobytes()


def decode_frames(
    data: bytes, frames: int, shape: tuple[int, ...], levels: int
) -> Iterator[np.ndarray]:
    """The codes of :func:`encode_codes` frame by frame: uint8 of ``shape``, (H, W) or (C, H, W).

    Bytes that are missing or wrong give wrong codes, not an error: check them before.
    """
    planes = shape if len(shape) == 3 else (1, *shape)
    model = _fresh(planes[0], levels)
    state = np.array([4, 0, _TOP, int.from_bytes(data[:4].ljust(4, b'\0'), 'big')], np.int64)
    array = np.frombuffer(data, np.uint8)
    for _ in range(frames):
        codes = np.zeros(planes, np.uint8)
        _decode(array, planes[0], levels, *model, state, codes)
        yield codes.reshape(shape)
