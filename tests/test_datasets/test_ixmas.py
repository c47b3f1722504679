"""IXMAS's names."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdq_plugin.datasets.ixmas import (
    IXMAS_ACTION_SETS,
    IXMAS_ACTIONS,
    IXMAS_NUMBERED_ACTIONS,
    IXMAS_SELECTED_720,
    IXMAS_SUBJECTS,
    IXMASDataset,
    IXMASName,
    parse_ixmas_name,
)


@given(
    st.sampled_from(IXMAS_SUBJECTS),
    st.integers(1, 3),
    st.sampled_from(IXMAS_ACTIONS),
    st.integers(0, 4),
    st.integers(0, 9000),
    st.integers(0, 300),
)
def test_names_round_trip(subject, take, action, camera, first, length):
    number = IXMAS_NUMBERED_ACTIONS.index(action) + 1
    last = first + length
    stem = f'{subject}{take}_{number:02d}_{action}_cam{camera}_frames_{first:04d}_{last:04d}'
    assert parse_ixmas_name(stem) == IXMASName(subject, take, action, camera, first, last)


@given(st.text(string.ascii_lowercase + string.digits + '_-. ', max_size=60))
def test_other_names_are_refused_by_name(text):
    with pytest.raises(ValueError, match='IXMAS') as caught:
        parse_ixmas_name(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    'stem',
    [
        'alba4_01_check-watch_cam0_frames_0053_0097',
        'alba1_02_check-watch_cam0_frames_0053_0097',
        'alba1_13_check-watch_cam0_frames_0053_0097',
        'alba1_00_pick-up_cam0_frames_0053_0097',
        'alba1_01_check-watch_cam5_frames_0053_0097',
        'alba1_01_check-watch_cam0_frames_0097_0053',
        'alba_01_check-watch_cam0_frames_0053_0097',
    ],
)
def test_wrong_names(stem):
    with pytest.raises(ValueError, match=stem):
        parse_ixmas_name(stem)


def test_the_shipped_selection():
    names = [parse_ixmas_name(line) for line in IXMAS_SELECTED_720.read_text().split()]
    assert len(names) == 720
    assert {name.subject for name in names} == set(IXMAS_SUBJECTS)
    assert {name.action for name in names} == set(IXMAS_ACTIONS)
    assert sum(name.action in IXMAS_ACTION_SETS['six'] for name in names) == 360


def test_metainfo_is_sorted():
    for names in (*IXMASDataset.METAINFO.values(), IXMAS_ACTION_SETS['six']):
        assert list(names) == sorted(names)
