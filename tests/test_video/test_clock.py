"""Times rise steadily and are true to the pictures, whatever a source's clock does."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from bdq_plugin.video.clock import Clock, end_of_frame


def times(stamps: list, may_jump: bool = True, rate: int = 25, per_second: int = 1000) -> list[int]:
    """Of frames with these time stamps, or pairs of them and the times their packets were due."""
    clock = Clock(Fraction(1, per_second), Fraction(rate), may_jump)
    pairs = [stamp if isinstance(stamp, tuple) else (stamp, None) for stamp in stamps]
    return [clock(SimpleNamespace(pts=pts, dts=dts)) for pts, dts in pairs]


def test_stamps_are_counted_from_the_first_frame():
    assert times([5000, 5040, 5080]) == [0, 40, 80]
    assert times([-90, -50, 0]) == [0, 40, 90]
    assert times([126000, 129003, 132006], per_second=90_000) == [0, 33, 67]


def test_variable_rates_and_pauses_are_kept():
    stamps = [0, 100, 200, 3000, 3025, 3050, 9000]
    assert times(stamps) == stamps
    assert times([0, 40, 50_000_000], may_jump=False) == [0, 40, 50_000_000]


@pytest.mark.parametrize('jump', [-36_000_000, -2_000, -500, 36_000_000, 11_000])
def test_a_clock_that_begins_anew_costs_one_interval(jump):
    first = [70_000 + 40 * i for i in range(50)]
    second = [first[-1] + jump + 40 * i for i in range(50)]
    assert times(first + second) == [40 * i for i in range(100)]


def test_the_interval_is_that_of_the_pictures():
    ten_a_second = [100 * i for i in range(5)]
    assert times(ten_a_second * 2) == [100 * i for i in range(10)]


def test_one_stamp_that_is_far_off_moves_no_other():
    stamps = [40 * i for i in range(10)]
    stamps[5] += 90_000_000
    assert times(stamps) == [40 * i for i in range(10)]


def test_a_jump_of_a_file_whose_clock_cannot_jump():
    assert times([0, 40, 36_000_000], may_jump=False)[-1] == 36_000_000
    assert times([0, 40, 200 * 3_600_000], may_jump=False) == [0, 40, 80]


def test_careless_stamps_are_held():
    assert times([0, 40, 40, 80, 79, 120]) == [0, 40, 41, 80, 81, 120]


def test_frames_without_a_stamp():
    assert times([None] * 4) == [0, 40, 80, 120]
    # The first frames of an RTSP stream; the last ones of AVI.
    assert times([None, None, 700, 740]) == [0, 40, 80, 120]
    assert times([(None, 7), (None, 47), (None, 87), None]) == [0, 40, 80, 120]


def test_stamps_in_the_order_in_which_frames_are_stored():
    """They are no times: the packets' are."""
    pairs = [(0, 80), (80, 120), (40, 160), (200, 200), (120, 240), (160, 280), (240, 320)]
    given = times(pairs)
    assert given == sorted(set(given)) and 240 <= given[-1] <= 320
    joined = [(80 + 40 * i, 40 * i) for i in range(5)]
    assert times(joined * 2) == [40 * i for i in range(10)], 'both begin anew: a clock that jumps'


def test_the_end_of_a_last_frame():
    assert end_of_frame(80, 40, Fraction(25)) == 0.12
    assert end_of_frame(80, 20, Fraction(25)) == 0.1, 'of a variable rate'
    assert end_of_frame(5000, 3000, Fraction(25)) == 5.04, 'behind a pause'
    assert end_of_frame(0, None, Fraction(25)) == 0.04, 'the only one'
