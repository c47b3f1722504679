"""The geometric dither: places that a secret draws, and frames that are moved by them."""

from __future__ import annotations

import numpy as np
import pytest

from bdq_plugin.geometry import (
    PLACE_UNIT,
    Draw,
    Geometry,
    Path,
    draw,
    neighbours,
    places_of,
    resample,
)

SECRET = bytes(range(32))
ALL = dict(scale=0.2, stretch=0.25, rotation=10, shift=0.125, mirror=True, warp=0.04)


def frame(height, width, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def identity(height, width):
    still = Draw(((65536, 0), (0, 65536)), (0, 0), np.zeros((2, 6, 6), np.int64))
    return places_of(still, height, width)


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (6, 1), (5, 8), (48, 64)])
def test_nothing_drawn_moves_nothing(size):
    pixels = frame(*size)
    assert np.array_equal(resample(pixels, identity(*size)), pixels)
    assert np.array_equal(resample(pixels, places_of(draw(Geometry(), SECRET), *size)), pixels)


def test_a_mirrored_stream_is_left_for_right_and_half_of_them_are():
    pixels, geometry = frame(5, 8), Geometry(mirror=True)
    moved = []
    for number in range(40):
        draws = draw(geometry, bytes([number] * 32)), draw(geometry, bytes([number] * 32), 7)
        assert draws[0].matrix == draws[1].matrix, 'it stays over periods'
        moved.append(resample(pixels, places_of(draws[0], 5, 8)))
    mirrored = sum(np.array_equal(m, pixels[:, ::-1]) for m in moved)
    assert 10 < mirrored < 30
    assert mirrored + sum(np.array_equal(m, pixels) for m in moved) == 40


def test_a_shift_is_a_share_of_the_shorter_side():
    still = Draw(((65536, 0), (0, 65536)), (16384, -8192), np.zeros((2, 6, 6), np.int64))
    pixels = frame(16, 24)
    moved = resample(pixels, places_of(still, 16, 24))
    assert np.array_equal(moved[:12, 2:], pixels[4:, :-2])
    assert np.array_equal(moved[12:, 2:], np.repeat(pixels[-1:, :-2], 4, 0)), 'the border goes on'


def test_half_a_pixel_is_the_mean_rounded_half_up():
    places = identity(4, 4)
    places[1] = np.minimum(places[1] + PLACE_UNIT // 2, 3 * PLACE_UNIT)
    pixels = frame(4, 4)
    mean = (pixels[:, :-1].astype(int) + pixels[:, 1:] + 1) // 2
    assert np.array_equal(resample(pixels, places)[:, :-1], mean)


def test_what_is_drawn_keeps_its_limits_and_fills_them():
    size = 400, 600
    draws = [draw(Geometry(**ALL), number.to_bytes(32, 'little')) for number in range(300)]
    shift, warp = np.array([d.shift for d in draws]), np.array([d.warp for d in draws])
    for drawn, limit in ((shift, 0.125), (warp, 0.04)):
        assert 0.97 * limit * 65536 < np.abs(drawn).max() <= round(limit * 65536)
        assert abs(drawn.mean()) < 0.1 * limit * 65536
    sizes = np.linalg.norm(np.array([d.matrix for d in draws], float) / 65536, axis=2)
    assert sizes.min() >= 0.8 * 0.75 - 1e-4 and sizes.max() <= 1.2 * 1.25 + 1e-4
    assert sizes.min() < 0.65 and sizes.max() > 1.4
    warped = draw(Geometry(warp=0.04), SECRET)
    away = np.abs(places_of(warped, *size) - identity(*size)) / PLACE_UNIT
    assert 4 < away.max() <= 16.1
    inner = places_of(warped, *size)[:, 20:-20, 20:-20]
    assert np.abs(np.diff(inner[0], 2, axis=0)).max() <= 4, 'smooth: neighbours move alike'


def test_other_secrets_and_periods_are_other_geometries():
    places = [
        places_of(draw(Geometry(**ALL), secret, period), 48, 64)
        for secret in (SECRET, SECRET[::-1])
        for period in (0, 1)
    ]
    assert all(np.abs(a - b).mean() > PLACE_UNIT for i, a in enumerate(places) for b in places[:i])
    assert np.array_equal(places[0], places_of(draw(Geometry(**ALL), SECRET), 48, 64))


def test_places_are_the_same_everywhere():
    """Pinned: whole numbers alone, so that no machine may find others."""
    places = places_of(draw(Geometry(**ALL), SECRET), 48, 64)
    assert [int(places[axis, 10, 20]) for axis in (0, 1)] == [178, 3125]


def test_a_change_is_gradual_and_ends_in_the_next_draw():
    geometry = Geometry(shift=0.25, redraw=20, change=12)
    path = Path(geometry, SECRET, 40, 40)
    places = [path.at(number) for number in range(45)]
    firsts = [places_of(draw(geometry, SECRET, period), 40, 40) for period in range(3)]
    for number in range(8):
        assert np.array_equal(places[number], firsts[0])
        assert np.array_equal(places[20 + number], firsts[1])
    assert np.array_equal(places[40], firsts[2])
    steps = [np.abs(places[k + 1] - places[k]).max() for k in range(7, 20)]
    whole = np.abs(firsts[1] - firsts[0]).max()
    assert len(steps) == 13 and max(steps) <= whole / 13 + 1
    assert Path(geometry, SECRET, 40, 40).at(17).tolist() == places[17].tolist(), 'at any frame'


def test_neighbours_are_inside_the_frame():
    places = places_of(draw(Geometry(**dict(ALL, shift=1.0)), SECRET), 30, 20)
    row, column, down, right = neighbours(places)
    assert row.min() >= 0 and row.max() <= 28 and column.min() >= 0 and column.max() <= 18
    assert min(down.min(), right.min()) >= 0 and max(down.max(), right.max()) <= PLACE_UNIT


@pytest.mark.parametrize(
    ('parts', 'match'),
    [
        (dict(scale=1.0), 'scale is from 0 to 0.9'),
        (dict(shift=-0.1), 'shift is from 0'),
        (dict(warp=float('nan')), 'warp'),
        (dict(redraw=10, change=11), 'change within its period'),
        (dict(redraw=2.5), 'whole numbers of frames'),
        (dict(zoom=0.1), r"no \['zoom'\]"),
    ],
)
def test_bad_parts(parts, match):
    with pytest.raises(ValueError, match=match):
        Geometry.from_dict(parts)


def test_a_secret_of_another_length_is_refused():
    with pytest.raises(ValueError, match='32 bytes, got 3'):
        draw(Geometry(), b'abc')
