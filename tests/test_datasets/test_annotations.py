"""The annotation file: written whole, read strictly."""

from __future__ import annotations

import pytest

from bdq_plugin.datasets.annotations import (
    atomic_text_file,
    read_annotations,
    write_annotations,
)
from bdq_plugin.datasets.kth import KTH_COLUMNS

ROW = dict(zip(KTH_COLUMNS, ('a/x.avi', 'boxing', 'person01', 1, 2, 10, 50, 60), strict=True))


def test_round_trip(tmp_path):
    write_annotations(tmp_path / 'new' / 'kth.csv', [ROW, ROW], KTH_COLUMNS)
    assert read_annotations(tmp_path / 'new' / 'kth.csv', KTH_COLUMNS) == [ROW, ROW]


def test_no_overwrite_unless_asked(tmp_path):
    path = tmp_path / 'kth.csv'
    write_annotations(path, [ROW], KTH_COLUMNS)
    with pytest.raises(FileExistsError, match='--overwrite'):
        write_annotations(path, [ROW, ROW], KTH_COLUMNS)
    assert len(read_annotations(path, KTH_COLUMNS)) == 1
    write_annotations(path, [ROW, ROW], KTH_COLUMNS, overwrite=True)
    assert len(read_annotations(path, KTH_COLUMNS)) == 2


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('old')
    with pytest.raises(KeyboardInterrupt), atomic_text_file(path, overwrite=True) as file:
        file.write('half of the n')
        raise KeyboardInterrupt
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(video='/etc/x.avi'), 'leaves the data root'),
        (dict(video='../x.avi'), 'leaves the data root'),
        (dict(video='a/../../x.avi'), 'leaves the data root'),
        (dict(video='..\\x.avi'), 'leaves the data root'),
        (dict(video=''), 'no value for video'),
        (dict(scenario='one'), "scenario must be a whole number, got 'one'"),
        (dict(num_frames='-3'), 'num_frames must be a whole number'),
        (dict(start_frame=50), 'not a range'),
        (dict(end_frame=61), 'not a range'),
    ],
)
def test_bad_rows_name_file_and_line(tmp_path, change, words):
    path = tmp_path / 'kth.csv'
    write_annotations(path, [ROW, {**ROW, **change}], KTH_COLUMNS)
    with pytest.raises(ValueError, match=words) as caught:
        read_annotations(path, KTH_COLUMNS)
    assert f'{path}:3:' in str(caught.value)


def test_missing_columns(tmp_path):
    path = tmp_path / 'kth.csv'
    path.write_text('video,action,subject\n')
    with pytest.raises(ValueError, match='lacks scenario, sequence'):
        read_annotations(path, KTH_COLUMNS)
    path.write_text('')
    with pytest.raises(ValueError, match='lacks video'):
        read_annotations(path, KTH_COLUMNS)


@pytest.mark.parametrize(
    'text',
    [
        '\ufeffvideo,action,subject,num_frames,take\na.mp4,hop,Anna,9,1\nb.mp4,hop,Anna,9,2\n',
        'Video;Action;Subject;Num_Frames;Take\r\n\r\na.mp4;hop;Anna;9;1\r\n;;;;\r\nb.mp4;hop;Anna;9;2',
        'video\taction\tsubject\tnum_frames\ttake\na.mp4\thop\tAnna\t9\t1\nb.mp4\thop\tAnna\t9\t2',
        'sep=;\nvideo;action; subject; num_frames;take\na.mp4;hop;Anna; 9; 1\nb.mp4;hop;Anna;9;2',
    ],
)
def test_tables_that_people_have_edited(tmp_path, text):
    (tmp_path / 'own.csv').write_bytes(text.encode())
    columns = ('video', 'action', 'subject', 'num_frames')
    rows = read_annotations(tmp_path / 'own.csv', columns, optional=('take',))
    assert rows == [
        dict(video=f'{name}.mp4', action='hop', subject='Anna', num_frames=9, take=take)
        for name, take in (('a', 1), ('b', 2))
    ]


def test_further_columns_are_numbers_where_all_their_values_are(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_text(
        'video,action,subject,num_frames,take,day,fps\na,h,1,9,,2,29.97\nb,h,2,9,03,x,25\n'
    )
    rows = read_annotations(path, ('video', 'action', 'subject', 'num_frames'), optional=None)
    assert [(r['subject'], r['take'], r['day'], r['fps']) for r in rows] == [
        ('1', '', '2', 29.97), ('2', 3, 'x', 25.0),
    ]  # fmt: skip


def test_names_of_files_keep_their_bytes(tmp_path):
    path = tmp_path / 'own.csv'
    path.write_bytes(b'video,action,subject,num_frames\nRen\xe9.mp4,h,Ren\xe9,9\n')
    columns = ('video', 'action', 'subject', 'num_frames')
    rows = read_annotations(path, columns)
    assert rows[0]['subject'] == 'René' and rows[0]['video'] == 'Ren\udce9.mp4'
    write_annotations(path, rows, columns, overwrite=True)
    assert read_annotations(path, columns) == rows
