"""SBU, IPN Hand, UCF101, HMDB51, PA-HMDB51 and VISPR: synthetic trees of their published form."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from bdq_plugin.datasets import (
    IPNDataset,
    SBUDataset,
    StillInit,
    SubjectVideoDataset,
    audit_protocol,
    open_video,
)
from bdq_plugin.datasets.annotations import read_annotations
from bdq_plugin.datasets.preparation import (
    prepare_ipn,
    prepare_lists,
    prepare_pa_hmdb51,
    prepare_sbu,
    prepare_vispr,
)
from bdq_plugin.datasets.sbu import SBU_PAIRS, SBU_TEST

PIPELINE = [
    dict(type='mmaction.ClipInit'),
    dict(type='mmaction.SampleFrames', clip_len=4, test_mode=True),
    dict(type='mmaction.ClipDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackSubjectInputs'),
]


def rows_of(path):
    return read_annotations(path, ('video', 'action', 'num_frames'), optional=None)


# SBU Kinect Interaction

SEQUENCES = dict.fromkeys(
    ('s01s02/01/001', 's02s01/01/002', 's01s07/03/002', 's06s04/08/002'), 'train'
) | dict.fromkeys(('s01s02/01/002', 's02s01/02/001', 's07s01/03/002', 's06s04/08/001'), 'test')


@pytest.fixture
def sbu(tmp_path):
    """The sets as they are unpacked, six frames a sequence; the frames of the first."""
    first = None
    for k, name in enumerate(SEQUENCES):
        folder = tmp_path / 'raw' / name[:6] / name
        folder.mkdir(parents=True)
        frames = np.random.default_rng(k).integers(0, 256, (6, 24, 32, 3), dtype=np.uint8)
        for number, frame in enumerate(frames, 1):
            cv2.imwrite(str(folder / f'rgb_{number:06d}.png'), frame[..., ::-1])
            cv2.imwrite(str(folder / f'depth_{number:06d}.png'), frame[..., 0])
        (folder / 'skeleton_pos.txt').write_text('1,0.5,0.5\n')
        first = frames if first is None else first
    return tmp_path, first


def test_sbu(run, sbu):
    folder, frames = sbu
    arguments = [folder / 'raw', folder / 'videos', '--out', folder / 'sbu.csv']
    done = run('sbu/prepare.py', *arguments)
    assert done.returncode == 0, done.stderr
    assert '8 clips from 8 videos' in done.stdout and 'by split: test 4, train 4' in done.stdout
    assert 'missing: 90 (' in done.stdout
    video = open_video(folder / 'videos' / 's01s02/01/001.mkv')
    np.testing.assert_array_equal(video.get_batch(range(6)), frames)
    rows = {row['video'].removesuffix('.mkv'): row for row in rows_of(folder / 'sbu.csv')}
    assert {name: row['split'] for name, row in rows.items()} == SEQUENCES
    assert rows['s07s01/03/002']['subject'] == rows['s01s07/03/002']['subject'] == 's01s07'
    assert rows['s06s04/08/001']['action'] == 'punching'


def test_sbu_dataset(sbu):
    folder, _ = sbu
    prepare_sbu(folder / 'raw', folder / 'videos', folder / 'sbu.csv')
    splits = {
        name: SBUDataset(
            str(folder / 'sbu.csv'),
            PIPELINE,
            data_prefix=dict(video=str(folder / 'videos')),
            split=name,
        )
        for name in ('train', 'test')
    }
    assert {name: len(split) for name, split in splits.items()} == dict(train=4, test=4)
    metainfo = splits['train'].metainfo
    assert len(metainfo['classes']) == 8 and metainfo['subjects'] == SBU_PAIRS
    sample = splits['test'][0]['data_samples']
    assert metainfo['subjects'][int(sample.gt_subject)] == 's01s02'
    audit = audit_protocol({name: split.protocol_rows() for name, split in splits.items()})
    # As drawn at random, the split shares sets, each filmed in one go.
    assert len(audit.shared['test']['sessions']) == 3
    assert audit.shared['test']['recordings'] == []


def test_sbu_split_is_the_released_one():
    names = SBU_TEST.read_text().split()
    assert len(names) == len(set(names)) == 94
    assert len({name[:6] for name in names}) == 21  # every set stands on both sides


def test_sbu_mistakes(sbu):
    folder, _ = sbu
    with pytest.raises(FileNotFoundError, match='unpack the 21 sets'):
        prepare_sbu(folder / 'raw' / 's01s02' / 's01s02', folder / 'v', folder / 'a.csv')
    shutil.copytree(folder / 'raw/s01s02/s01s02/01/001', folder / 'raw/s01s08/01/001')
    with pytest.raises(ValueError, match="'s01s08' is no set"):
        prepare_sbu(folder / 'raw', folder / 'videos', folder / 'sbu.csv')
    shutil.rmtree(folder / 'raw/s01s08')
    (folder / 'raw/s01s02/s01s02/01/001/rgb_000003.png').write_bytes(b'cut')
    report = prepare_sbu(folder / 'raw', folder / 'new', folder / 'sbu.csv')
    assert len(report.rows) == 7 and 'rgb_000003.png' in report.unreadable[0]
    assert not list((folder / 'new').rglob('.*'))


# IPN Hand

METADATA = """Video Name,Frames,Sex,Hand,Background,Illumination,People in Scene,Set
1CM1_1_R_#217,20,W,Right,Clutter,Stable,Single,train
1CV12_12_R_#90,20,M,Right,Plain,Light,Single,train
4CM11_13_L_#30,20,W,Left,Plain,Dark,Single,test
"""
TRAIN = '1CM1_1_R_#217,D0X,1,1,5,5\n1CM1_1_R_#217,G05,8,6,20,15\n1CV12_12_R_#90,B0A,2,1,20,20'
TEST = '4CM11_13_L_#30,G11,14,2,9,8\n4CM11_13_L_#30,G05,8,10,99,90\n'


@pytest.fixture
def ipn(tmp_path, synthetic_own):
    videos, lists = tmp_path / 'videos', tmp_path / 'annotations'
    videos.mkdir()
    lists.mkdir()
    for k, line in enumerate(METADATA.splitlines()[1:], 1):
        source = synthetic_own.root / f'walking/anna_{k}.mp4'
        shutil.copy(source, videos / f'{line.partition(",")[0]}.avi')
    (lists / 'metadata.csv').write_text(METADATA)
    (lists / 'Annot_TrainList.txt').write_text(TRAIN)
    (lists / 'Annot_TestList.txt').write_text(TEST)
    return tmp_path


def test_ipn(run, ipn):
    arguments = [ipn / 'videos', ipn / 'annotations', '--out', ipn / 'ipn.csv']
    done = run('ipn/prepare.py', *arguments)
    assert done.returncode == 0, done.stderr
    assert 'by gender: man 1, woman 4' in done.stdout
    assert 'cut at the end of the video: 1 (4CM11_13_L_#30.avi (9 to 99 of 20 frames))' in (
        done.stdout
    )
    rows = rows_of(ipn / 'ipn.csv')
    spans = [(row['action'], row['start_frame'], row['end_frame'], row['split']) for row in rows]
    assert spans == [
        ('D0X', 0, 5, 'train'), ('G05', 5, 20, 'train'), ('B0A', 0, 20, 'train'),
        ('G11', 1, 9, 'test'), ('G05', 9, 20, 'test'),
    ]  # fmt: skip
    assert (rows[3]['subject'], rows[3]['hand'], rows[3]['background']) == (
        '4CM11', 'Left', 'Plain',
    )  # fmt: skip


def test_ipn_videos_with_their_extension(ipn):
    (ipn / 'annotations' / 'metadata.csv').write_text(METADATA.replace('#217,', '#217.avi,'))
    report = prepare_ipn(ipn / 'videos', ipn / 'annotations', ipn / 'ipn.csv')
    assert len(report.rows) == 5


def test_ipn_dataset(ipn):
    prepare_ipn(ipn / 'videos', ipn / 'annotations', ipn / 'ipn.csv')

    def build(**arguments):
        prefix = dict(video=str(ipn / 'videos'))
        return IPNDataset(str(ipn / 'ipn.csv'), PIPELINE, data_prefix=prefix, **arguments)

    train, test = build(), build(split='test')
    assert (len(train), len(build(actions='all'))) == (2, 3)
    assert len(train.metainfo['classes']) == 13
    assert train.metainfo['subjects'] == ('man', 'woman')
    assert int(test[0]['data_samples'].gt_subject) == 1
    audit = audit_protocol({'train': train.protocol_rows(), 'test': test.protocol_rows()})
    # No person is known, but both genders are: there is something to score.
    assert audit.shared['test']['subjects'] == [] and audit.identity_defined


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('Annot_TrainList.txt', '1CM1_1_R_#217,G05,8,6', ':1: expected video,label,id'),
        ('Annot_TrainList.txt', '1CM1_1_R_#217,G77,8,6,20,15', ":1: 'G77' is no gesture"),
        ('Annot_TestList.txt', '4CM11_13_L_#30,G05,8,9,3,7', ':1: frames 9 to 3'),
        ('metadata.csv', METADATA.replace(',W,', ',?,'), ':2: Sex must be M or W'),
        ('metadata.csv', METADATA.replace('#217', '#1'), 'metadata.csv has no line for 1CM1_1'),
    ],
)
def test_ipn_mistakes(ipn, name, text, words):
    (ipn / 'annotations' / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        prepare_ipn(ipn / 'videos', ipn / 'annotations', ipn / 'ipn.csv')


# UCF101 and HMDB51 by their lists


@pytest.fixture
def ucf(tmp_path, synthetic_own):
    names = ['Archery/v_Archery_g01_c01', 'Archery/v_Archery_g02_c01', 'YoYo/v_YoYo_g01_c02']
    for k, name in enumerate(names, 1):
        (tmp_path / 'videos' / name).parent.mkdir(parents=True, exist_ok=True)
        source = synthetic_own.root / f'walking/ben_{k}.mp4'
        shutil.copy(source, tmp_path / 'videos' / f'{name}.avi')
    (tmp_path / 'lists').mkdir()
    return tmp_path


@pytest.mark.parametrize(
    'lists',
    [
        {
            'ucf101_train_split_1_videos.txt': 'Archery/v_Archery_g02_c01.avi 0\n',
            'ucf101_val_split_1_videos.txt': 'Archery/v_Archery_g01_c01.avi 0\n'
            'YoYo/v_YoYo_g01_c02.avi 1\nYoYo/v_YoYo_g09_c02.avi 1',
            'ucf101_train_split_1_rawframes.txt': 'Archery/v_Archery_g02_c01 20 0',
        },
        {
            'trainlist01.txt': 'Archery/v_Archery_g02_c01.avi 1\r\n',
            'testlist01.txt': 'Archery/v_Archery_g01_c01.avi\r\nYoYo/v_YoYo_g01_c02.avi\r\n'
            'YoYo/v_YoYo_g09_c02.avi',
        },
    ],
)
def test_ucf101(run, ucf, lists):
    for name, text in lists.items():
        (ucf / 'lists' / name).write_bytes(text.encode())
    arguments = [ucf / 'videos', ucf / 'lists', '--out', ucf / 'ucf.csv']
    done = run('ucf_hmdb/prepare.py', *arguments)
    assert done.returncode == 0, done.stderr
    assert 'missing: 1 (YoYo/v_YoYo_g09_c02.avi)' in done.stdout
    rows = {row['video']: row for row in rows_of(ucf / 'ucf.csv')}
    assert {name[-15:-4]: row['split1'] for name, row in rows.items()} == {
        'ery_g02_c01': 'train', 'ery_g01_c01': 'test', '_YoYo_g01_c02'[-11:]: 'test',
    }  # fmt: skip
    test = SubjectVideoDataset(
        str(ucf / 'ucf.csv'),
        PIPELINE,
        data_prefix=dict(video=str(ucf / 'videos')),
        protocol=dict(column='split1'),
        privacy=None,
        split='test',
    )
    assert test.metainfo == dict(classes=('Archery', 'YoYo'))
    assert test.get_data_info(0)['recording'].endswith('Archery_g01')
    assert 'gt_subject' not in test[0]['data_samples']


def test_hmdb51_uses_other_videos_in_each_split(ucf):
    for name in ('Archery/one.avi', 'Archery/two.avi', 'YoYo/three.avi'):
        shutil.copy(next((ucf / 'videos').rglob('v_*.avi')), ucf / 'videos' / name)
    for name, video in {
        'train_split_1': 'Archery/one.avi 0', 'val_split_1': 'YoYo/three.avi 1',
        'train_split_2': 'Archery/two.avi 0', 'val_split_2': 'Archery/one.avi 0',
    }.items():  # fmt: skip
        (ucf / 'lists' / f'hmdb51_{name}_videos.txt').write_text(video)
    report = prepare_lists(ucf / 'videos', ucf / 'lists', ucf / 'hmdb.csv')
    assert 'by split1: test 1, train 1, unused 1' in str(report)
    assert len(report.unlisted) == 3 and 'recording' not in report.rows[0]
    sides = {
        split: SubjectVideoDataset(
            str(ucf / 'hmdb.csv'), [], data_prefix=dict(video=str(ucf / 'videos')),
            protocol=dict(column='split2'), privacy=None, split=split,
        ).get_data_info(0)['filename'].rpartition('/')[2]
        for split in ('train', 'test')
    }  # fmt: skip
    assert sides == dict(train='two.avi', test='one.avi')


def test_lists_that_contradict(ucf):
    line = 'Archery/v_Archery_g02_c01.avi 0\n'
    (ucf / 'lists/ucf101_train_split_1_videos.txt').write_text(line)
    (ucf / 'lists/ucf101_val_split_1_videos.txt').write_text(line)
    with pytest.raises(ValueError, match='g02_c01.avi is in train and in test'):
        prepare_lists(ucf / 'videos', ucf / 'lists', ucf / 'ucf.csv')
    with pytest.raises(FileNotFoundError, match='has no list'):
        prepare_lists(ucf / 'videos', ucf / 'videos', ucf / 'ucf.csv')


# PA-HMDB51


def pa_labels(face, gender):
    rest = {name: [[0, 19, 0]] for name in ('nudity', 'relationship', 'skin_color')}
    return dict(face=face, gender=gender, review=True, note='', **rest)


def test_pa_hmdb51(run, tmp_path, synthetic_own):
    (tmp_path / 'videos/pullup').mkdir(parents=True)
    for k, name in enumerate(('one.avi', 'two [x].avi'), 1):
        shutil.copy(
            synthetic_own.root / f'walking/carla_{k}.mp4', tmp_path / 'videos/pullup' / name
        )
    labels = {
        'one.avi': pa_labels([[0, 4, 0], [5, 19, 2]], [[0, 19, [1, 2]]]),
        'two [x].avi': pa_labels([[0, 14, 0], [15, 19, 2]], [[0, 19, 0]]),
        'gone.avi': pa_labels([[0, 9, 0]], [[0, 9, 0]]),
    }
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/pullup.json').write_text(json.dumps(labels))
    arguments = [tmp_path / 'videos', tmp_path / 'labels', '--out', tmp_path / 'pa.csv']
    done = run('pa_hmdb51/prepare.py', *arguments)
    assert done.returncode == 0, done.stderr
    assert 'missing: 1 (pullup/gone.avi)' in done.stdout
    rows = rows_of(tmp_path / 'pa.csv')
    assert [(row['face'], row['gender'], row['nudity']) for row in rows] == [(1, 1, 0), (0, 0, 0)]
    dataset = SubjectVideoDataset(
        str(tmp_path / 'pa.csv'),
        PIPELINE,
        data_prefix=dict(video=str(tmp_path / 'videos')),
        protocol=dict(ratio=(50, 50)),
        privacy=['face', 'gender', 'nudity', 'relationship', 'skin_color'],
    )
    assert dataset[0]['data_samples'].gt_attributes.shape == (5,)
    labels['one.avi']['face'] = [[0, 4]]
    (tmp_path / 'labels/pullup.json').write_text(json.dumps(labels))
    with pytest.raises(ValueError, match=r'pullup.json: one.avi: expected face as \[\[first'):
        prepare_pa_hmdb51(tmp_path / 'videos', tmp_path / 'labels', tmp_path / 'new.csv')


# VISPR


@pytest.fixture
def vispr(tmp_path):
    labels = {
        'train2017': [['a4_gender', 'a9_face_complete', 'a73_landmark'], ['a17_color']],
        'test2017': [['a10_face_partial', 'a12_semi_nudity'], ['a64_rel_personal']],
    }
    labels['test2017'][1].append('a65_rel_social')
    for split, images in labels.items():
        (tmp_path / split).mkdir()
        (tmp_path / f'{split}_annotation').mkdir()
        for k, names in enumerate(images):
            picture = np.random.default_rng(k).integers(0, 256, (40, 60, 3), dtype=np.uint8)
            stem = f'2017_{split[:4]}{k}'
            cv2.imwrite(str(tmp_path / split / f'{stem}.jpg'), cv2.blur(picture, (5, 5)))
            document = dict(id=stem, image_path=f'images/{split}/{stem}.jpg', labels=names)
            (tmp_path / f'{split}_annotation' / f'{stem}.json').write_text(json.dumps(document))
    return tmp_path


def test_vispr(run, vispr):
    done = run('vispr/prepare.py', vispr, '--out', vispr / 'vispr.csv')
    assert done.returncode == 0, done.stderr
    assert 'by split: test 2, train 2' in done.stdout
    attributes = ['a4_gender', 'a9_face_complete', 'a17_color']
    dataset = SubjectVideoDataset(
        str(vispr / 'vispr.csv'),
        [
            dict(type='mmaction.StillInit', clip_len=6, pan=0.02),
            dict(type='mmaction.SampleFrames', clip_len=6, test_mode=True),
            *PIPELINE[2:],
        ],
        data_prefix=dict(video=str(vispr)),
        protocol='split',
        privacy=attributes,
    )
    packed = dataset[0]
    assert torch.equal(packed['data_samples'].gt_attributes, torch.tensor([1.0, 1.0, 0.0]))
    # 5 steps of 2 % of 40 pixels: the window leaves 4 pixels, and moves.
    clip = packed['inputs'][0]
    assert clip.shape == (3, 6, 36, 56)
    assert (clip[:, 1:] != clip[:, :-1]).any()
    assert torch.equal(dataset[0]['inputs'], packed['inputs'])


def test_vispr_mistakes(vispr):
    with pytest.raises(ValueError, match='no image has a1_nose'):
        prepare_vispr(vispr, vispr / 'vispr.csv', attributes=['a4_gender', 'a1_nose'])
    (vispr / 'train2017/2017_trai0.jpg').unlink()
    report = prepare_vispr(vispr, vispr / 'vispr.csv', attributes=['a17_color'])
    assert report.missing == ['2017_trai0']
    with pytest.raises(FileNotFoundError, match='no NAME.json'):
        prepare_vispr(vispr / 'train2017', vispr / 'new.csv')
    with pytest.raises(ValueError, match='must be from 0 to less than 0.5'):
        StillInit(clip_len=51, pan=0.01)


def test_a_still_that_does_not_move_is_one_picture(vispr):
    results = StillInit(clip_len=3, pan=0.0)(dict(filename=str(vispr / 'test2017/2017_test0.jpg')))
    frames = results['video_reader'].get_batch(range(3))
    assert frames.shape == (3, 40, 60, 3) and (frames == frames[0]).all()
