"""Geometric dither: where each pixel of a frame is taken from, drawn from a secret.

::

    secret, period --SHAKE-256--> Draw: a 2 x 2 matrix, a shift, a smooth warp
      --> places (2, H, W): row and column in 1/64 pixel --> bilinear --> the frame, moved

A camera that looks at everyone through its own random geometry hides the shape by which people are
told apart. Nobody else knows it: the secret comes from the operating system, lives in memory alone,
and two periods of it have nothing in common that could be computed without it.

NumPy and whole numbers, so that a secret means the same places and the same pixels to torch, to
NumPy and to the compiled stream, bit for bit.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

SECRET_BYTES = 32
# Places count in 1/64 pixel; the product of two weights then leaves a value within 20 bits.
PLACE_BITS = 6
PLACE_UNIT = 1 << PLACE_BITS
# Numbers of a draw count in 1/65536, weights of the soft change too.
DRAW_BITS = 16
DRAW_UNIT = 1 << DRAW_BITS
# Control points of the warp along each axis, and the spans of its cubic B-spline between them.
CONTROLS = 6
SPANS = CONTROLS - 3


@dataclass(frozen=True)
class Geometry:
    """How strong each part of the geometric dither is; all are drawn evenly within their limits.

    Attributes:
        scale: both axes are divided by one number from 1 - scale to 1 + scale.
        stretch: each axis is divided by a number of its own, from 1 - stretch to 1 + stretch.
        rotation: degrees to either side.
        shift: along each axis to either side, as a share of the frame's shorter side.
        mirror: left and right are exchanged, in half of the streams.
        warp: greatest displacement of a smooth warp along each axis, as a share of the shorter
            side.
        redraw: frames from one draw to the next, 0 for one draw a stream. (A period of n seconds
            has n times as many frames as a second.) Whether a stream is mirrored stays.
        change: frames at the end of a period over which the next draw gradually replaces it.

    What lies beyond the border is the border's pixel.
    """

    scale: float = 0.0
    stretch: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    mirror: bool = False
    warp: float = 0.0
    redraw: int = 0
    change: int = 0

    def __post_init__(self) -> None:
        limits = dict(scale=0.9, stretch=0.9, rotation=180.0, shift=1.0, warp=1.0)
        for name, most in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f'geometric_dither: {name} is from 0 to {most}, got {value}')
        whole = isinstance(self.redraw, int) and isinstance(self.change, int)
        if not whole or not (0 <= self.change <= self.redraw):
            raise ValueError(
                'geometric_dither: redraw and change are whole numbers of frames, the change '
                f'within its period, got redraw={self.redraw} and change={self.change}'
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Geometry:
        """The geometry that a config or a file describes; what is not named is off.

        Raises:
            ValueError: no such part, or one out of its limits.
        """
        names = [field.name for field in fields(cls)]
        unknown = [name for name in values if name not in names]
        if unknown:
            raise ValueError(f'geometric_dither has no {unknown}: its parts are {names}')
        return cls(**values)

    def moment(self, frame: int) -> tuple[int, int]:
        """The period of a frame, and how far the next has replaced it, in 1/65536."""
        if not self.redraw:
            return 0, 0
        period, within = divmod(frame, self.redraw)
        begun = within - (self.redraw - self.change) + 1
        return period, max(begun, 0) * DRAW_UNIT // (self.change + 1)


@dataclass(frozen=True)
class Draw:
    """One geometry, in 1/65536: from a place in the moved frame to one in the camera's.

    Attributes:
        matrix: rows and columns of the offset from the frame's centre, ((yy, yx), (xy, xx)).
        shift: of rows and columns, as a share of the shorter side.
        warp: displacements at the control points, as a share of the shorter side, int64 (2, 6, 6).
    """

    matrix: tuple[tuple[int, int], tuple[int, int]]
    shift: tuple[int, int]
    warp: np.ndarray


def draw(geometry: Geometry, secret: bytes, period: int = 0) -> Draw:
    """The geometry of a period, always the same for a secret.

    Args:
        secret: 32 bytes.
        period: from 0.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f'a secret has {SECRET_BYTES} bytes, got {len(secret)}')
    _, scale, *stretch, angle, down, right = _uniform(secret, period, 7)
    warp = _uniform(secret, period, 7 + 2 * CONTROLS**2)[7:]
    # The first number of period 0, for a mirror cannot turn gradually.
    flip = -1 if geometry.mirror and _uniform(secret, 0, 1)[0] < 0 else 1
    scale = 1 + geometry.scale * scale
    rows, columns = (scale * (1 + geometry.stretch * number) for number in stretch)
    angle = math.radians(geometry.rotation * angle)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = ((rows * cos, flip * rows * sin), (-columns * sin, flip * columns * cos))
    return Draw(
        tuple(tuple(round(DRAW_UNIT * value) for value in row) for row in matrix),
        tuple(round(DRAW_UNIT * geometry.shift * number) for number in (down, right)),
        np.array([round(DRAW_UNIT * geometry.warp * number) for number in warp], np.int64).reshape(
            2, CONTROLS, CONTROLS
        ),
    )


def _uniform(secret: bytes, period: int, count: int) -> list[float]:
    """Numbers from -1 to 1 that cannot be told without the secret; exact in binary.

    More of them begin with the same ones.
    """
    stream = hashlib.shake_256(secret + period.to_bytes(8, 'little')).digest(4 * count)
    words = np.frombuffer(stream, '<u4').astype(np.int64)
    return [(int(word) - 2**31) / 2**31 for word in words]


def places_of(draw: Draw, height: int, width: int) -> np.ndarray:
    """Where each pixel is taken from: int32 (2, H, W), row and column in 1/64 pixel, inside."""
    short = min(height, width)
    # Offsets from the centre in half pixels, so products with the matrix are in 2^-17 pixel.
    v = 2 * np.arange(height, dtype=np.int64)[:, None] - (height - 1)
    u = 2 * np.arange(width, dtype=np.int64)[None] - (width - 1)
    rows, columns = _spline(height), _spline(width)
    places = np.empty((2, height, width), np.int32)
    for axis, side in enumerate((height, width)):
        by_row, by_column = draw.matrix[axis]
        warp = (rows @ draw.warp[axis] @ columns.T) * (2 * short) >> 2 * DRAW_BITS
        centre = (side - 1) * DRAW_UNIT + draw.shift[axis] * 2 * short
        exact = by_row * v + by_column * u + warp + centre
        bits = DRAW_BITS + 1 - PLACE_BITS
        places[axis] = np.clip((exact + (1 << bits - 1)) >> bits, 0, (side - 1) * PLACE_UNIT)
    return places


def _spline(side: int) -> np.ndarray:
    """Weights of the control points along an axis, cubic B-spline in 1/65536: int64 (side, 6)."""
    bits = 12
    one = 1 << bits
    at = (np.arange(side, dtype=np.int64) * SPANS << bits) // max(side - 1, 1)
    span = np.minimum(at >> bits, SPANS - 1)
    t = at - (span << bits)
    terms = [
        (one - t) ** 3,
        3 * t**3 - 6 * one * t**2 + 4 * one**3,
        -3 * t**3 + 3 * one * t**2 + 3 * one**2 * t + one**3,
        t**3,
    ]
    weights = np.zeros((side, CONTROLS), np.int64)
    for k, term in enumerate(terms):
        weights[np.arange(side), span + k] = term * DRAW_UNIT // (6 * one**3)
    return weights


def mix(first: np.ndarray, second: np.ndarray, share: int) -> np.ndarray:
    """Places on the way from one draw to the next.

    Args:
        share: of the second, in 1/65536.
    """
    way = (second.astype(np.int64) - first) * share >> DRAW_BITS
    return (first + way).astype(np.int32)


class Path:
    """The places of a stream's frames, one after another.

    Args:
        geometry: how strong.
        secret: 32 bytes.
        height, width: of the frames, in pixels.
    """

    def __init__(self, geometry: Geometry, secret: bytes, height: int, width: int) -> None:
        self._geometry, self._secret, self._size = geometry, secret, (height, width)
        self._draws: dict[int, np.ndarray] = {}

    def at(self, frame: int) -> np.ndarray:
        """Places of a frame, counted from 0: int32 (2, H, W); the same array while they stay."""
        first, second, share = self.ends(frame)
        return first if second is None else mix(first, second, share)

    def ends(self, frame: int) -> tuple[np.ndarray, np.ndarray | None, int]:
        """What :meth:`at` mixes: the places of a period, of the next in a change, and its share."""
        period, share = self._geometry.moment(frame)
        self._draws = {k: places for k, places in self._draws.items() if k >= period}
        return self._places(period), self._places(period + 1) if share else None, share

    def _places(self, period: int) -> np.ndarray:
        if period not in self._draws:
            self._draws[period] = places_of(draw(self._geometry, self._secret, period), *self._size)
        return self._draws[period]


def neighbours(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What bilinear resampling reads: places to indices and weights.

    Returns:
        Upper left pixel's row and column, int32 (H, W), never of the last row or column unless it
        is the only one, and the weights of the lower row and the right column, 0 to 64.
    """
    height, width = places.shape[1:]
    row = np.minimum(places[0] >> PLACE_BITS, max(height - 2, 0))
    column = np.minimum(places[1] >> PLACE_BITS, max(width - 2, 0))
    return row, column, places[0] - (row << PLACE_BITS), places[1] - (column << PLACE_BITS)


def resample(frame: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A frame moved: uint8 (H, W, C), bilinear, rounded half up."""
    row, column, down, right = neighbours(places)
    below, beside = np.minimum(row + 1, len(frame) - 1), np.minimum(column + 1, frame.shape[1] - 1)
    down, right = down[..., None], right[..., None]
    pixels = frame.astype(np.int32)
    upper = (PLACE_UNIT - right) * pixels[row, column] + right * pixels[row, beside]
    lower = (PLACE_UNIT - right) * pixels[below, column] + right * pixels[below, beside]
    total = (PLACE_UNIT - down) * upper + down * lower
    return ((total + (1 << 2 * PLACE_BITS - 1)) >> 2 * PLACE_BITS).astype(np.uint8)
