"""Own videos: labels by a pattern, a table or a list, and what people get wrong."""

from __future__ import annotations

import os
import shutil
import unicodedata
from contextlib import nullcontext
from pathlib import Path

import pytest

from bdq_plugin.datasets import SubjectVideoDataset
from bdq_plugin.datasets.annotations import check_spelling, read_annotations
from bdq_plugin.datasets.preparation import prepare_folder
from tools.stress.video_kinds import encode, join, pictures, write_kinds

COLUMNS = ('video', 'action', 'subject', 'num_frames')
PATTERN = '{action}/{subject}_{take}.mp4'


@pytest.fixture
def folder(synthetic_own, tmp_path):
    """Walking of two people, two takes each."""
    root = tmp_path / 'videos'
    (root / 'walking').mkdir(parents=True)
    for name in ('anna_1', 'anna_2', 'ben_1', 'ben_2'):
        shutil.copy(synthetic_own.root / 'walking' / f'{name}.mp4', root / 'walking')
    return root


@pytest.fixture
def prepare(folder, tmp_path):
    """Prepare the folder; give the report and the rows."""

    def prepare(**arguments):
        out = tmp_path / 'own.csv'
        report = prepare_folder(folder, out, overwrite=True, **arguments)
        return report, read_annotations(out, COLUMNS, optional=None)

    return prepare


def write(path: Path, text: str, encoding: str = 'utf-8') -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# Labels by a pattern


def test_tool(run, synthetic_own, tmp_path):
    out = tmp_path / 'own.csv'
    root = shutil.copytree(synthetic_own.root, tmp_path / 'videos')
    (root / 'walking' / 'notes.txt').write_text('not a video')
    arguments = ['folder/prepare.py', root, '--pattern', PATTERN, '--out', out]
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert '18 clips from 18 videos' in done.stdout
    assert 'by subject: anna 6, ben 6, carla 6' in done.stdout
    assert 'by take: 1 6, 2 6, 3 6' in done.stdout
    assert 'left out, no video by its name: 1 (walking/notes.txt)' in done.stdout
    assert 'note:' not in done.stdout
    rows = read_annotations(out, COLUMNS, optional=None)
    assert rows[0] == dict(
        rows[0], video='handwaving/anna_1.mp4', action='handwaving', subject='anna', take=1,
        num_frames=20, width=64, height=48, fps=25.0,
    )  # fmt: skip
    again = run(*arguments)
    assert again.returncode == 1 and 'error:' in again.stderr and '--overwrite' in again.stderr


@pytest.mark.parametrize(
    'pattern',
    [
        '{action}/{subject}_{take}',
        '{action}/{subject}_{take}.MP4',
        './{action}/{subject:[a-z]+}_{take:d}.mp4',
        '{action}/{subject:[a-z]+}*{take:d}.*',
    ],
)
def test_patterns(prepare, pattern):
    _, rows = prepare(pattern=pattern)
    assert [(row['subject'], row['take']) for row in rows] == [
        ('anna', 1), ('anna', 2), ('ben', 1), ('ben', 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('pattern', 'words'),
    [
        ('{action}/{subject}-{take}.mp4', "not one video .* 'walking/ben_2.mp4' does not fit"),
        ('{action}/{take}.mp4', 'lacks {subject}'),
        ('walking/a.mp4', 'lacks {action}, {subject}'),
        ('{action}/{subject}_{fps}', 'fps is not read from a path'),
        ('{action}/{subject', 'a brace is not closed'),
        ('{action}/{subject}_{}', r'{} is no column'),
        ('{action}/{subject:[}_*', 'pattern .*unterminated'),
        ('walking/{action}{subject}_{take}', "several ways: action 'a', .*or action 'ann'"),
    ],
)
def test_wrong_patterns(prepare, pattern, words):
    with pytest.raises(ValueError, match=words):
        prepare(pattern=pattern)


def test_files_that_do_not_fit_are_named(run, folder, tmp_path):
    for k in range(7):
        shutil.copy(folder / 'walking/anna_1.mp4', folder / f'holiday{k}.mp4')
    arguments = ['--pattern', PATTERN, '--out', tmp_path / 'own.csv', '--overwrite']
    done = run('folder/prepare.py', folder, *arguments)
    assert '4 clips' in done.stdout
    assert 'left out, not named as expected: 7 (holiday0.mp4, ' in done.stdout
    assert 'holiday6' not in done.stdout
    assert 'holiday6.mp4)' in run('folder/prepare.py', folder, *arguments, '--verbose').stdout


def test_names_of_every_kind(folder, prepare):
    for old, new in [
        ('anna_1.mp4', 'José María_1.MTS'),
        ('anna_2.mp4', '2024-01-01T10:20:30 x_2.mp4'),
        ('ben_1.mp4', 'dots.in.name_3.3gp'),
    ]:
        (folder / 'walking' / old).rename(folder / 'walking' / new)
    latin = os.fsencode(folder / 'walking') + b'/Ren\xe9_4.mp4'
    os.rename(os.fsencode(folder / 'walking/ben_2.mp4'), latin)
    (folder / 'walking' / '._hidden_1.mp4').write_bytes(b'x')
    report, rows = prepare(pattern='{action}/{subject}_{take:d}')
    assert {row['subject'] for row in rows} == {
        'José María', '2024-01-01T10:20:30 x', 'dots.in.name', 'René',
    }  # fmt: skip
    assert not report.unreadable and not report.unrecognised
    str(report).encode()  # can be printed
    dataset = SubjectVideoDataset(
        str(folder.parent / 'own.csv'),
        [dict(type='mmaction.ClipInit'), dict(type='mmaction.SampleFrames', clip_len=2),
         dict(type='mmaction.ClipDecode')],
        data_prefix=dict(video=str(folder)),
        protocol=dict(hold_out='take', fold=4),
        split='test',
    )  # fmt: skip
    assert dataset[0]['img_shape'] == (48, 64)


def test_real_videos(run, real_data, tmp_path):
    (tmp_path / 'videos').mkdir()
    for name in ('A2P2T1', 'A2P2T2', 'A2P3T1', 'A2P3T2'):
        (tmp_path / 'videos' / f'PS7{name}.avi').symlink_to(real_data / 'own' / f'PS7{name}.avi')
    out = tmp_path / 'own.csv'
    pattern = 'PS7A{action}P{subject}T{take}'
    done = run('folder/prepare.py', tmp_path / 'videos', '--pattern', pattern, '--out', out)
    assert '4 clips from 4 videos' in done.stdout and 'by take: 1 2, 2 2' in done.stdout
    rows = read_annotations(out, COLUMNS, optional=None)
    assert {(row['width'], row['height'], row['fps']) for row in rows} == {(640, 480, 29.97)}
    assert [row['subject'] for row in rows] == ['2', '2', '3', '3']


def test_links_to_folders(folder, prepare):
    (folder / 'running').symlink_to(folder.parent / 'elsewhere')
    (folder.parent / 'elsewhere').mkdir()
    (folder / 'walking' / 'anna_2.mp4').rename(folder.parent / 'elsewhere' / 'carl_1.mp4')
    (folder / 'again').symlink_to(folder)  # a circle
    (folder / 'walking' / 'gone_1.mp4').symlink_to(folder / 'nowhere.mp4')
    report, rows = prepare(pattern=PATTERN)
    assert [row['video'] for row in rows] == [
        'running/carl_1.mp4', 'walking/anna_1.mp4', 'walking/ben_1.mp4', 'walking/ben_2.mp4',
    ]  # fmt: skip
    assert len(report.unreadable) == 1 and 'gone_1.mp4' in report.unreadable[0]


# Labels from tables and lists

TABLE = """video,action,subject,Take
walking/anna_1.mp4,hop,Anna,1
walking/anna_2.mp4,hop,Anna,2

walking/ben_1.mp4,"hop, skip",Zoë,1
walking/ben_2.mp4,"hop, skip",Zoë,2"""


@pytest.mark.parametrize(
    ('delimiter', 'encoding', 'prefix'),
    [
        (',', 'utf-8-sig', ''),
        (';', 'utf-8', ''),
        (';', 'cp1252', 'sep=;\r\n'),
        ('\t', 'utf-16', ''),
        (',', 'cp1252', '\n\n'),
    ],
)
def test_tables_as_programs_write_them(prepare, tmp_path, delimiter, encoding, prefix):
    text = TABLE.replace('hop, skip', 'hop! skip').replace(',', delimiter).replace('!', ',')
    text = prefix + text.replace('\n', '\r\n')
    report, rows = prepare(table=write(tmp_path / 'clips.csv', text, encoding))
    assert ("not UTF-8 and was read as Windows-1252, as in 'Zoë'" in str(report)) == (
        encoding == 'cp1252'
    )
    assert [(row['action'], row['subject'], row['take']) for row in rows] == [
        ('hop', 'Anna', 1), ('hop', 'Anna', 2), ('hop, skip', 'Zoë', 1), ('hop, skip', 'Zoë', 2),
    ]  # fmt: skip


def test_a_table_of_parts_of_videos(prepare, tmp_path):
    table = write(
        tmp_path / 'clips.tsv',
        'video\taction\tsubject\tstart\tend\n'
        'walking/anna_1.mp4\thop\tAnna\t\t0.2\n'
        'walking/anna_1.mp4\twalk\tAnna\t0:00:00.2\t0,6\n'
        'walking\\ben_1.mp4\twalk\tBen\t0.4\t9\n'
        'walking/ben_1.mp4\thop\tBen\t5\t6\n',
    )
    report, rows = prepare(table=table)
    spans = [(row['video'], row['start_frame'], row['end_frame']) for row in rows]
    assert spans == [
        ('walking/anna_1.mp4', 0, 5), ('walking/anna_1.mp4', 5, 15), ('walking/ben_1.mp4', 10, 20),
    ]  # fmt: skip
    assert report.clipped == ['walking/ben_1.mp4 (10 to 225 of 20 frames)']
    assert report.unusable == ['walking/ben_1.mp4 (125 to 150 of 20 frames)']
    assert report.unlisted == ['walking/anna_2.mp4', 'walking/ben_2.mp4']
    report, rows = prepare(table=table, min_frames=8)
    assert report.short == ['walking/anna_1.mp4 (5 frames)'] and len(rows) == 2


def test_seconds_of_a_video_of_variable_rate(tmp_path):
    """Eight frames at ten a second, a pause up to 2 s, then forty a second."""
    write_kinds(tmp_path / 'videos', ['variable.mp4'])
    table = write(
        tmp_path / 'clips.csv',
        'video,action,subject,start,end\n'
        'variable.mp4,hop,Anna,0,0.5\nvariable.mp4,walk,Anna,2,2.2\nvariable.mp4,run,Anna,2.2,\n',
    )
    report = prepare_folder(tmp_path / 'videos', tmp_path / 'own.csv', table=table)
    spans = [(row['start_frame'], row['end_frame']) for row in report.rows]
    assert spans == [(0, 5), (8, 16), (16, 24)]


def test_an_annotation_can_be_prepared_again(prepare, folder, tmp_path):
    prepare(pattern=PATTERN)
    first = (tmp_path / 'own.csv').read_bytes()
    prepare(table=shutil.copy(tmp_path / 'own.csv', tmp_path / 'copy.csv'))
    assert (tmp_path / 'own.csv').read_bytes() == first
    text = first.decode().replace('walking/anna_1', f'{folder.resolve()}/walking/anna_1')
    prepare(table=write(tmp_path / 'absolute.csv', text))
    assert (tmp_path / 'own.csv').read_bytes() == first


@pytest.mark.parametrize(
    ('lines', 'words'),
    [
        ('video,action\na,b', 'the header lacks subject; it has video, action'),
        ('video,action,subject\na.mp4,,A\nb.mp4,hop,A\nc.mp4,,', r':2: no .* nor in 1 more \(4\)'),
        ('video,action,subject,subject\n', 'has subject twice'),
        ('video,action,,subject\n', 'column 3 has no name'),
        ('video,action,subject\na.mp4,hop,Anna,3', ':2: 4 values for 3 columns'),
        ('video,action,subject\n/etc/a.mp4,hop,Anna', ':2: .*not inside the folder'),
        ('video,action,subject\n../a.mp4,hop,Anna', ':2: .*leaves the data root'),
        ('video,action,subject\na.mp4,hop,Anna', r'none of the videos that are listed: 1 \(a.mp4'),
        ('video,action,subject,start\na.mp4,hop,Anna,soon', ":2: start must be seconds .* 'soon'"),
        ('video,action,subject,start_frame\na.mp4,hop,A,0.5', ':2: start_frame must be a whole'),
        ('video,action,subject,end,end_frame\na.mp4,hop,A,1,2', 'say the same'),
        ('video,action,subject\na.mp4,"hop,A', 'unexpected end of data'),
        ('', 'the header lacks video'),
    ],
)  # fmt: skip
def test_wrong_tables(prepare, tmp_path, lines, words):
    with pytest.raises(ValueError, match=words):
        prepare(table=write(tmp_path / 'clips.csv', lines))


def test_a_table_that_is_none(prepare, tmp_path):
    (tmp_path / 'clips.xlsx').write_bytes(b'PK\x03\x04\0\0')
    with pytest.raises(ValueError, match='not a text file: save it as text'):
        prepare(table=tmp_path / 'clips.xlsx')
    with pytest.raises(FileNotFoundError, match=r'no text file .*nowhere\.csv'):
        prepare(table=tmp_path / 'nowhere.csv')
    with pytest.raises(ValueError, match='is a folder: name a text file'):
        prepare(table=tmp_path)


def test_missing_videos_are_named(prepare, tmp_path):
    report, rows = prepare(table=write(tmp_path / 'clips.csv', TABLE.replace('anna_1', 'eve_1')))
    assert report.missing == ['walking/eve_1.mp4'] and len(rows) == 3
    assert 'missing: 1 (walking/eve_1.mp4)' in str(report)


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_names_in_another_form_than_on_disk(folder, prepare, tmp_path, form):
    on_disk = unicodedata.normalize(form, 'walking/José_1.mp4')
    (folder / 'walking/anna_1.mp4').rename(folder / on_disk)
    text = TABLE.replace('anna_1', 'José_1').replace('Zoë', 'Eve')
    report, rows = prepare(table=write(tmp_path / 'clips.csv', text, 'cp1252'))
    assert rows[0]['video'] == on_disk and not report.missing and len(rows) == 4


def test_a_list_of_mmaction2(prepare, folder, tmp_path):
    (folder / 'walking/anna_1.mp4').rename(folder / 'walking/anna 1.mp4')
    lines = 'walking/anna 1.mp4 1 Anna\nwalking/ben_1.mp4 0 Ben\n\n'
    listed = write(tmp_path / 'train.txt', lines)
    _, rows = prepare(text_list=listed)
    assert [(row['action'], row['subject']) for row in rows] == [('1', 'Anna'), ('0', 'Ben')]
    old = write(tmp_path / 'old.txt', lines.replace('Anna', 'Aña'), 'cp1252')
    report, rows = prepare(text_list=old)
    assert rows[0]['subject'] == 'Aña' and "Windows-1252, as in '1 Aña'" in str(report)
    names = write(tmp_path / 'names.txt', 'hop\nwalk')  # no newline at the end
    _, rows = prepare(text_list=listed, labels=names)
    assert [row['action'] for row in rows] == ['walk', 'hop']
    with pytest.raises(ValueError, match=r'train.txt:1: label .1. has no name; there are 1'):
        prepare(text_list=listed, labels=write(tmp_path / 'names.txt', 'hop\n'))
    with pytest.raises(ValueError, match=r'names.txt: two labels have the name 1 \(hop\)'):
        prepare(text_list=listed, labels=write(tmp_path / 'names.txt', 'hop\nhop\n'))
    with pytest.raises(ValueError, match=r'train.txt:1: expected PATH LABEL SUBJECT'):
        prepare(text_list=write(tmp_path / 'train.txt', 'walking/ben_1.mp4 0\n'))


def test_one_source_of_labels(prepare, tmp_path):
    with pytest.raises(ValueError, match='one of: pattern, table, list'):
        prepare()
    with pytest.raises(ValueError, match='give the list too'):
        prepare(pattern=PATTERN, labels=tmp_path / 'names.txt')


# What will not carry a protocol or an audit


def notes(report) -> str:
    return '\n'.join(report.advice)


def test_one_take_a_person(folder, prepare):
    (folder / 'walking/ben_2.mp4').unlink()
    report, _ = prepare(pattern=PATTERN)
    assert 'with take held out, a person with one take is on one side alone: 1 (ben)' in str(report)
    (folder / 'walking/anna_2.mp4').unlink()
    report, _ = prepare(pattern=PATTERN)
    assert 'each has one take): nothing can be held out; record every person again' in notes(report)


def test_too_few_takes_for_an_audit(folder, prepare):
    report, _ = prepare(pattern=PATTERN)
    assert 'an audit with take held out needs three of each person' in notes(report)
    assert 'two are of 2 (anna, ben)' in notes(report) and 'not everyone' not in notes(report)
    (folder / 'walking/ben_2.mp4').rename(folder / 'walking/ben_3.mp4')
    report, _ = prepare(pattern=PATTERN)
    assert 'not everyone has take 2 (2, 3): held out, it says nothing of the' in notes(report)


def test_one_person_and_actions_of_one_person(folder, prepare):
    (folder / 'hop').mkdir()
    (folder / 'walking/ben_2.mp4').rename(folder / 'hop/ben_2.mp4')
    report, _ = prepare(pattern=PATTERN)
    assert 'action hop is by ben alone: it names the person' in notes(report)
    for path in folder.rglob('ben*'):
        path.unlink()
    report, _ = prepare(pattern=PATTERN)
    assert 'anna is the only person: there is nobody to tell apart' in notes(report)


def test_half_empty_columns_and_cameras(prepare, tmp_path):
    text = TABLE.replace('Take', 'camera').replace('Anna,2', 'Anna,')
    report, rows = prepare(table=write(tmp_path / 'clips.csv', text))
    assert 'no camera for 1 (walking/anna_2.mp4): no protocol can use' in notes(report)
    assert 'add a column recording or take' in notes(report)
    assert [row['camera'] for row in rows] == [1, '', 1, 2]


def test_mixed_sizes_and_rates(folder, prepare, synthetic_kth):
    shutil.copy(next((synthetic_kth.root / 'videos').glob('*.avi')), folder / 'walking/carl_1.avi')
    report, rows = prepare(pattern='{action}/{subject}_{take}')
    assert 'frames of 2 sizes, 64 x 48 (4), 80 x 60 (1)' in notes(report)
    assert {row['width'] for row in rows} == {64, 80}


def test_two_spellings_of_one_person(folder, prepare):
    (folder / 'walking/anna_2.mp4').rename(folder / 'walking/Anna_2.mp4')
    with pytest.raises(ValueError, match=r"subject .* several ways: .*'Anna' \(1 rows\)"):
        prepare(pattern=PATTERN)


SPELLINGS = [
    ('p1', 'p01', True),
    ('p10', 'p100', False),
    ('1.05 m', '1.5 m', False),
    ('Zoë', 'ZOE\u0308', True),
]


@pytest.mark.parametrize(('one', 'other', 'same'), SPELLINGS)
def test_spellings(one, other, same):
    expected = pytest.raises(ValueError, match='several ways') if same else nullcontext()
    with expected:
        check_spelling([dict(subject=one), dict(subject=other)], ['subject'], 'own.csv')


def test_one_video_under_two_labels(folder, prepare):
    shutil.copy(folder / 'walking/anna_1.mp4', folder / 'walking/anna_3.mp4')
    report, rows = prepare(pattern=PATTERN)
    assert report.copies == ['walking/anna_3.mp4 of walking/anna_1.mp4'] and len(rows) == 4
    shutil.copy(folder / 'walking/anna_1.mp4', folder / 'walking/carl_1.mp4')
    with pytest.raises(ValueError, match=r"same frames, but subject is 'anna' in one and 'carl'"):
        prepare(pattern=PATTERN)


def test_parts_that_overlap_under_two_labels(prepare, tmp_path):
    lines = 'video,action,subject,start_frame,end_frame\nwalking/ben_1.mp4,hop,Ben,0,10\n'
    few = write(tmp_path / 'few.csv', lines + 'walking/ben_1.mp4,run,Ben,8,20\n')
    assert len(prepare(table=few)[1]) == 2
    many = write(tmp_path / 'many.csv', lines + 'walking/ben_1.mp4,run,Ben,4,20\n')
    with pytest.raises(ValueError, match=r'ben_1.mp4 \(0 to 10\) and .*\(4 to 20\) show the same'):
        prepare(table=many)


def test_a_video_that_cannot_be_read(folder, prepare):
    (folder / 'walking/ben_1.mp4').write_bytes(b'not a video')
    report, rows = prepare(pattern=PATTERN)
    assert len(rows) == 3 and 'ben_1.mp4' in report.unreadable[0]
    for path in folder.rglob('*.mp4'):
        path.write_bytes(b'')
    with pytest.raises(ValueError, match='not one clip to write'):
        prepare(pattern=PATTERN)


def test_a_video_that_changes_its_size(folder, prepare):
    """No clip across the change could be read in training."""
    (folder / 'walking/ben_1.mp4').unlink()
    small = encode(folder / 'small.ts', 'libx264', frames=pictures(6))
    large = encode(folder / 'large.ts', 'libx264', frames=pictures(6, 60, 80))
    join(folder / 'walking/ben_1.mp4', small, large)
    report, rows = prepare(pattern=PATTERN)
    assert len(rows) == 3 and len(report.unreadable) == 1
    assert 'ben_1.mp4: changes from 64 x 48 to 80 x 60 after 6 frames' in report.unreadable[0]


def test_synthetic_folder(run, tmp_path):
    arguments = ['--actions', 'walking', '--subjects', 'eve', '--takes', 1, '--frames', 2]
    done = run('synthetic/make_folder.py', tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'walking/eve_1.mp4').is_file()
    bad = run('synthetic/make_folder.py', tmp_path, '--actions', 'swimming')
    assert bad.returncode == 1 and 'some of boxing' in bad.stderr
