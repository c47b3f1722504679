"""KTH's names and index."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdq_plugin.datasets.kth import (
    KTH_ACTIONS,
    KTH_INDEX,
    KTH_SUBJECTS,
    KTHDataset,
    KTHName,
    KTHSequences,
    parse_kth_name,
    read_kth_index,
)

names = st.builds(
    KTHName, st.sampled_from(KTH_SUBJECTS), st.sampled_from(KTH_ACTIONS), st.integers(1, 4)
)
ranges = st.tuples(st.integers(1, 900), st.integers(0, 200)).map(lambda r: (r[0], r[0] + r[1]))
blanks = st.text(' \t', min_size=1, max_size=4)


@given(names, st.sampled_from(['', '_uncomp']))
def test_names_round_trip(name, ending):
    assert parse_kth_name(name.stem + ending) == name


@given(st.text(string.ascii_lowercase + string.digits + '_-. ', max_size=40))
def test_other_names_are_refused_or_read_faithfully(text):
    try:
        name = parse_kth_name(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert text.removesuffix('_uncomp') == name.stem


@pytest.mark.parametrize(
    'stem',
    [
        'person26_boxing_d1',
        'person00_boxing_d1',
        'person1_boxing_d1',
        'person01_swimming_d1',
        'person01_boxing_d5',
        'person01_boxing_d1_uncomp_uncomp',
        'person01_boxing_d1\n',
        'person\u0660\u0661_boxing_d1',
        '',
    ],
)
def test_wrong_names(stem):
    with pytest.raises(ValueError, match='is not a KTH name'):
        parse_kth_name(stem)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(names, st.lists(ranges, min_size=0, max_size=4), min_size=1, max_size=5),
    blanks,
    st.sampled_from(['\n', '\r\n']),
    st.sampled_from([',', ', ', ' , ', ',\t']),
)
def test_index_round_trips_whatever_its_blanks(tmp_path, entries, blank, newline, comma):
    lines = ['Frames of each sub-sequence:', '']
    for name, listed in entries.items():
        spans = comma.join(f'{a}-{b}' for a, b in listed)
        lines.append(f'{name.stem}{blank}' + (f'frames{blank}{spans}' if listed else '*missing*'))
        lines.append(blank)
    path = tmp_path / 'index.txt'
    path.write_bytes(newline.join(lines).encode())
    expected = [
        KTHSequences(name, tuple((a - 1, b) for a, b in listed)) for name, listed in entries.items()
    ]
    assert read_kth_index(path) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.text('personboxing_d0123456789-, \tframes*m\n\x00\xff', max_size=60), max_size=4)
)
def test_any_other_index_is_refused_with_file_and_line_or_has_sane_ranges(tmp_path, lines):
    path = tmp_path / 'index.txt'
    path.write_text('\n'.join(['person01_boxing_d1 frames 1-95', *lines]), encoding='utf-8')
    try:
        entries = read_kth_index(path)
    except ValueError as error:
        assert str(error).startswith(f'{path}:')
    else:
        assert len({entry.name for entry in entries}) == len(entries)
        assert all(0 <= a < b for entry in entries for a, b in entry.ranges)


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('person01_boxing_d2 frames 1-', 'not a range'),
        ('person01_boxing_d2 frames 1-95,', 'not a range'),
        ('person01_boxing_d2 frames 95-1', 'run backwards'),
        ('person01_boxing_d2 frames 0-9', 'count from 1'),
        ('person01_boxing_d2 frames', 'not a range'),
        ('person01_boxing_d2 1-95', 'expected "frames"'),
        ('person01_boxing_d2', 'expected "frames"'),
        ('person01_boxing_d2 frames 1-2, 3-4, 5-6, 7-8, 9-10', '5 ranges'),
        ('person01_boxing_d1 frames 1-2', 'stands twice'),
        ('boxing_d2 frames 1-2', 'not a KTH name'),
    ],
)
def test_bad_index_lines_name_file_and_line(tmp_path, line, words):
    path = tmp_path / 'index.txt'
    path.write_text(f'person01_boxing_d1 frames 1-95\n\n{line}\n')
    with pytest.raises(ValueError, match=words) as caught:
        read_kth_index(path)
    assert f'{path}:3:' in str(caught.value)


def test_index_without_videos(tmp_path):
    path = tmp_path / 'index.txt'
    path.write_text('nothing here\n')
    with pytest.raises(ValueError, match='not one line'):
        read_kth_index(path)


def test_the_shipped_index():
    entries = read_kth_index()
    present = [entry for entry in entries if entry.ranges]
    assert len(entries) == 600
    assert len(present) == 599
    assert sum(len(entry.ranges) for entry in present) == 2391
    missing = [entry.name.stem for entry in entries if not entry.ranges]
    assert missing == ['person13_handclapping_d3']
    assert sum(len(entry.ranges) == 3 for entry in present) == 5
    assert entries[0].ranges == ((0, 95), (95, 185), (185, 245), (245, 360))


def test_the_shipped_index_is_the_published_one(real_data):
    assert KTH_INDEX.read_bytes() == (real_data / 'kth' / '00sequences.txt').read_bytes()


def test_metainfo_is_sorted():
    for names in KTHDataset.METAINFO.values():
        assert list(names) == sorted(names)


def test_what_is_private_is_a_column_of_ones_own(synthetic_kth, tmp_path):
    lines = synthetic_kth.annotation.read_text().splitlines()
    rows = [
        f'{line},{int("box" in line)},{"red" if "d1" in line else "blue"}' for line in lines[1:]
    ]
    (tmp_path / 'kth.csv').write_text('\n'.join([f'{lines[0]},boxer,shirt', *rows]))
    videos = dict(video=str(synthetic_kth.root / 'videos'))
    options = dict(
        ann_file=str(tmp_path / 'kth.csv'), data_prefix=videos, pipeline=[], split='train'
    )
    dataset = KTHDataset(privacy=['boxer'], **options)
    for item in map(dataset.get_data_info, range(len(dataset))):
        assert item['attributes'].tolist() == [item['action_name'] == 'boxing']
    dataset = KTHDataset(privacy='shirt', subjects=None, **options)
    assert dataset.metainfo['subjects'] == ('blue', 'red')
