"""The preparation tools, run as a user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cv2
import pytest

from bdq_plugin.datasets.annotations import read_annotations
from bdq_plugin.datasets.ixmas import IXMAS_COLUMNS
from bdq_plugin.datasets.kth import KTH_COLUMNS
from bdq_plugin.datasets.preparation import (
    extract_middle_frames,
    prepare_ixmas,
    prepare_kth,
    read_ixmas_names,
    select_videos,
)
from bdq_plugin.video.reader import open_video

from ..processes import fork, play

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / 'tools' / 'data'


def test_a_tool_as_a_program(tmp_path):
    done = fork(play, TOOLS / 'kth/prepare.py', tmp_path / 'nowhere', '--out', tmp_path / 'x.csv')
    assert done.returncode == 1
    assert 'error: no folder' in done.stderr and 'Traceback' not in done.stderr


@pytest.fixture
def kth_folder(synthetic_kth, tmp_path):
    """Three synthetic videos, and the index of all."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for action in ('boxing', 'running', 'walking'):
        name = f'person01_{action}_d1_uncomp.avi'
        shutil.copy(synthetic_kth.root / 'videos' / name, folder)
    shutil.copy(synthetic_kth.root / '00sequences.txt', tmp_path)
    return folder


@pytest.fixture
def ixmas_folder(real_data, tmp_path):
    folder = tmp_path / 'videos'
    shutil.copytree(real_data / 'ixmas' / 'original_samples', folder)
    return folder


def test_real_kth_with_five_videos(real_data, tmp_path):
    out = tmp_path / 'kth.csv'
    report = prepare_kth(real_data / 'kth' / 'videos', out)
    assert len(read_annotations(out, KTH_COLUMNS)) == 20
    assert len(report.missing) == 599 - 5
    assert not (report.unreadable or report.unrecognised or report.clipped or report.unusable)
    text = str(report)
    assert '20 clips from 5 videos' in text
    assert 'by scenario: 1 16, 4 4' in text
    assert 'missing: 594 (person01_boxing_d1, ' in text
    assert len(text) < 800


def test_kth_tool(run, synthetic_kth, tmp_path):
    out = tmp_path / 'kth.csv'
    arguments = [synthetic_kth.root / 'videos', '--sequences']
    arguments += [synthetic_kth.root / '00sequences.txt', '--out', out]
    done = run('kth/prepare.py', *arguments)
    assert done.returncode == 0, done.stderr
    assert '144 clips from 36 videos' in done.stdout
    assert out.read_bytes() == synthetic_kth.annotation.read_bytes()
    again = run('kth/prepare.py', *arguments)
    assert again.returncode == 1
    assert 'error:' in again.stderr and '--overwrite' in again.stderr
    assert 'Traceback' not in again.stderr


def test_one_folder_an_action_gives_the_same_rows(kth_folder, tmp_path):
    index = tmp_path / '00sequences.txt'
    prepare_kth(kth_folder, tmp_path / 'flat.csv', index)
    for path in list(kth_folder.iterdir()):
        action = path.name.split('_')[1]
        (kth_folder / action).mkdir()
        path.rename(kth_folder / action / path.name)
    prepare_kth(kth_folder, tmp_path / 'nested.csv', index)
    flat, nested = (
        read_annotations(tmp_path / name, KTH_COLUMNS) for name in ('flat.csv', 'nested.csv')
    )
    assert [row['video'] for row in nested[::4]] == [
        f'{action}/person01_{action}_d1_uncomp.avi' for action in ('boxing', 'running', 'walking')
    ]
    assert [{**row, 'video': ''} for row in flat] == [{**row, 'video': ''} for row in nested]


def test_ranges_beyond_the_video(kth_folder, tmp_path):
    index = tmp_path / 'index.txt'
    index.write_text('person01_boxing_d1 frames 1-36, 100-144, 140-150, 145-160\n')
    report = prepare_kth(kth_folder, tmp_path / 'kth.csv', index)
    rows = read_annotations(tmp_path / 'kth.csv', KTH_COLUMNS)
    spans = [(row['sequence'], row['start_frame'], row['end_frame']) for row in rows]
    assert spans == [(1, 0, 36), (2, 99, 144), (3, 139, 144)]
    name = 'person01_boxing_d1_uncomp.avi'
    assert report.clipped == [f'{name} (139 to 150 of 144 frames)']
    assert report.unusable == [f'{name} (144 to 160 of 144 frames)']
    assert len(report.unlisted) == 2
    assert 'cut at the end of the video: 1' in str(report)


def test_broken_and_foreign_files_are_reported(kth_folder, tmp_path):
    (kth_folder / 'person01_boxing_d1_uncomp.avi').write_bytes(b'')
    (kth_folder / 'holiday.mp4').write_bytes(b'x')
    (kth_folder / 'notes.txt').write_text('not a video')
    report = prepare_kth(kth_folder, tmp_path / 'kth.csv', tmp_path / '00sequences.txt')
    assert report.unrecognised == ['holiday.mp4']
    assert len(report.unreadable) == 1
    assert 'person01_boxing_d1_uncomp.avi' in report.unreadable[0]
    assert len(read_annotations(tmp_path / 'kth.csv', KTH_COLUMNS)) == 8


def test_nothing_usable_writes_nothing(tmp_path):
    out = tmp_path / 'kth.csv'
    with pytest.raises(FileNotFoundError, match='no folder'):
        prepare_kth(tmp_path / 'nowhere', out)
    folder = tmp_path / 'videos'
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match='has no video'):
        prepare_kth(folder, out)
    (folder / 'holiday.mp4').write_bytes(b'x')
    with pytest.raises(ValueError, match=r"not one video .*'holiday' is not a KTH name"):
        prepare_kth(folder, out)
    (folder / 'person01_boxing_d1.avi').write_bytes(b'x')
    with pytest.raises(ValueError, match='not one clip to write'):
        prepare_kth(folder, out)
    assert not out.exists()


def test_the_same_video_twice(kth_folder, tmp_path):
    shutil.copy(kth_folder / 'person01_boxing_d1_uncomp.avi', kth_folder / 'person01_boxing_d1.avi')
    with pytest.raises(ValueError, match='are the same video'):
        prepare_kth(kth_folder, tmp_path / 'kth.csv', tmp_path / '00sequences.txt')


def test_real_ixmas(ixmas_raw, ixmas_annotation, tmp_path):
    rows = read_annotations(ixmas_annotation, IXMAS_COLUMNS, optional=None)
    assert len(rows) == 360
    report = prepare_ixmas(ixmas_raw, tmp_path / 'ixmas.csv', names='selected_720')
    assert report.rows == sorted(rows, key=lambda row: row['video'])
    assert not (report.missing or report.unlisted or report.unreadable)
    assert 'by take: 1 120, 2 120, 3 120' in str(report)


def test_ixmas_tool(run, ixmas_folder, tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text(
        'alba1_05_get-up_cam0_frames_0350_0424.avi\n\nalba1_05_get-up_cam1_frames_0350_0424\n'
    )
    out = tmp_path / 'ixmas.csv'
    done = run('ixmas/prepare.py', ixmas_folder, '--names', names, '--out', out)
    assert done.returncode == 0, done.stderr
    assert 'missing: 1 (alba1_05_get-up_cam1_frames_0350_0424)' in done.stdout
    assert 'not in the list: 2 (' in done.stdout
    expected = dict(action='get-up', subject='alba', take=1, camera=0, num_frames=75)
    video = 'alba1_05_get-up_cam0_frames_0350_0424.avi'
    assert read_annotations(out, IXMAS_COLUMNS) == [dict(video=video, **expected)]


def test_ixmas_errors(ixmas_folder, tmp_path):
    out = tmp_path / 'ixmas.csv'
    with pytest.raises(ValueError, match='all, six'):
        prepare_ixmas(ixmas_folder, out, actions='seven')
    names = tmp_path / 'names.txt'
    names.write_text('alba1_05_get-up_cam0_frames_0350_0424\nalba\n')
    with pytest.raises(ValueError, match=r'names\.txt:2: .*alba'):
        prepare_ixmas(ixmas_folder, out, names=names)
    with pytest.raises(FileNotFoundError):
        prepare_ixmas(ixmas_folder, out, names=tmp_path / 'nowhere.txt')
    assert not out.exists()


def test_frames_and_selection(run, ixmas_folder, tmp_path):
    frames, out = tmp_path / 'frames', tmp_path / 'selected'
    (ixmas_folder / 'broken.avi').write_bytes(b'')
    done = run('ixmas/extract_frames.py', ixmas_folder, frames)
    assert done.returncode == 0, done.stderr
    assert 'unreadable: ' in done.stdout and 'broken.avi' in done.stdout
    name = 'alba1_05_get-up_cam0_frames_0350_0424'
    middle = open_video(ixmas_folder / f'{name}.avi').get_batch([37])[0]
    assert (cv2.imread(str(frames / f'{name}.png'))[..., ::-1] == middle).all()
    assert len(list(frames.iterdir())) == 3

    (frames / 'nicolas3_10_kick_cam2_frames_0870_0945.png').unlink()
    done = run('ixmas/select_videos.py', ixmas_folder, frames, out)
    assert done.returncode == 0, done.stderr
    assert 'copied 2 videos' in done.stdout
    kept = sorted(path.name for path in out.glob('*.avi'))
    assert kept == [f'{name}.avi', 'julien2_11_point_cam3_frames_0800_0831.avi']
    assert (out / f'{name}.avi').read_bytes() == (ixmas_folder / f'{name}.avi').read_bytes()
    assert [f'{stem}.avi' for stem, _ in read_ixmas_names(out / 'selected.txt')] == kept
    assert not list(out.glob('.*'))


def test_selection_errors(ixmas_folder, tmp_path):
    frames = tmp_path / 'frames'
    frames.mkdir()
    with pytest.raises(FileNotFoundError, match='has no frame'):
        select_videos(ixmas_folder, frames, tmp_path / 'out')
    (frames / 'ghost.png').write_bytes(b'')
    with pytest.raises(FileNotFoundError, match=r'without a video .*ghost'):
        select_videos(ixmas_folder, frames, tmp_path / 'out')
    (tmp_path / 'names.txt').touch()
    with pytest.raises(FileExistsError):
        select_videos(ixmas_folder, frames, tmp_path / 'out', names=tmp_path / 'names.txt')
    with pytest.raises(FileNotFoundError, match='no folder'):
        extract_middle_frames(tmp_path / 'nowhere', frames)


def test_synthetic_tool(run, tmp_path):
    arguments = ['--subjects', 1, '--scenarios', 1, '--frames-per-sequence', 4, '--size', 48, 32]
    done = run('synthetic/make_kth.py', tmp_path / 'kth', *arguments)
    assert done.returncode == 0, done.stderr
    assert 'wrote 6 videos' in done.stdout
    bad = run('synthetic/make_kth.py', tmp_path / 'bad', '--subjects', 99)
    assert bad.returncode == 1 and 'error: subjects must be 1 to 25' in bad.stderr


@pytest.mark.parametrize('name', ['kth', 'ixmas'])
def test_download_scripts_are_valid_and_name_their_source(name):
    script = TOOLS / name / 'download.sh'
    subprocess.run(['bash', '-n', str(script)], check=True)
    text = script.read_text()
    source = {
        'kth': 'https://www.csc.kth.se/cvap/actions',
        'ixmas': 'https://www.epfl.ch/labs/cvlab/',
    }
    assert source[name] in text and '--continue-at -' in text
    assert os.access(script, os.X_OK)
