"""Data of one's own: names from the annotation, declared protocols, wrappers, and mistakes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import ConcatDataset, RepeatDataset

from bdq_plugin.datasets import IXMASDataset, SubjectVideoDataset, audit_protocol
from bdq_plugin.datasets.annotations import write_annotations
from bdq_plugin.datasets.preparation import prepare_folder

RAW_PIPELINE = [
    dict(type='mmaction.ClipInit'),
    dict(type='mmaction.SampleFrames', clip_len=4, test_mode=True),
    dict(type='mmaction.ClipDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackSubjectInputs'),
]
COLUMNS = ('video', 'action', 'subject', 'take', 'camera', 'gender', 'split', 'num_frames')


def make_rows():
    """Two actions of three people in ten takes, by two cameras."""
    return [
        dict(
            video=f'{action}/{subject}_{take}_{camera}.avi',
            action=action,
            subject=subject,
            take=take,
            camera=camera,
            gender='f' if subject == 'Anna' else 'm',
            split='Training' if take < 9 else 'dev' if take == 9 else 'TEST',
            num_frames=20,
        )
        for action in ('hop', 'wave')
        for subject in ('Anna', 'Ben', 'Carl')
        for take in range(1, 11)
        for camera in ('left', 'right')
    ]


@pytest.fixture
def build(tmp_path):
    """Build a data set of rows whose videos are empty files."""

    def build(rows=None, columns=COLUMNS, **changes):
        rows = make_rows() if rows is None else rows
        for row in rows:
            (tmp_path / row['video']).parent.mkdir(exist_ok=True)
            (tmp_path / row['video']).touch()
        write_annotations(tmp_path / 'own.csv', rows, columns, overwrite=True)
        arguments = dict(
            data_root=str(tmp_path),
            ann_file='own.csv',
            data_prefix=dict(video=''),
            pipeline=[],
            protocol=dict(hold_out='take'),
            serialize_data=False,
        )
        return SubjectVideoDataset(**{**arguments, **changes})

    return build


def items_of(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def test_names_come_from_the_annotation_in_natural_order(build):
    rows = [
        {**row, 'subject': {'Anna': '10', 'Ben': '2', 'Carl': '9a'}[row['subject']]}
        for row in make_rows()
    ]
    dataset = build(rows)
    assert dataset.metainfo == dict(classes=('hop', 'wave'), subjects=('2', '9a', '10'))
    item = next(item for item in items_of(dataset) if item['person'] == '10')
    assert (item['subject'], item['subject_name'], item['label']) == (2, '10', 0)


def test_takes_are_held_out_in_turn(build):
    for fold in (1, 2, 10):
        train, test = (build(fold=fold, split=split) for split in ('train', 'test'))
        assert {item['take'] for item in items_of(test)} == {fold}
        assert {item['held_out'] for item in items_of(test)} == {fold}
        assert {item['held_out'] for item in items_of(train)} == set(range(1, 11)) - {fold}
        assert (len(train), len(test)) == (108, 12)
        assert (train.hold_out, train.num_folds) == ('take', 10)


@pytest.mark.parametrize(
    'protocol',
    [
        'take',
        dict(hold_out='take', fold=3),
        dict(hold_out='take', values=[9, 2, 3, 1, *range(4, 9), 10]),
    ],
)
def test_ways_to_say_it(build, protocol):
    dataset = build(protocol=protocol, split='test', fold=3)
    assert {item['take'] for item in items_of(dataset)} == {3}
    assert dataset.fold == 3


def test_a_unit_that_is_not_listed_goes_nowhere_silently(build):
    with pytest.raises(ValueError, match=r'lists 9, 2, 3 of take, but .* clips of 1, 4, .* too'):
        build(protocol=dict(hold_out='take', values=[9, 2, 3]), split='train', fold=3)


def test_units_in_groups(build):
    test = build(protocol=dict(hold_out='take', folds=5), fold=5, split='test')
    assert {item['take'] for item in items_of(test)} == {9, 10}
    assert test.num_folds == 5


def test_a_column_of_splits(build):
    takes = {
        split: {item['take'] for item in items_of(build(protocol='split', split=split))}
        for split in ('train', 'val', 'test')
    }
    assert takes == dict(train=set(range(1, 9)), val={9}, test={10})
    declared = dict(column='camera', train=['left'], test=['right'])
    assert {i['camera'] for i in items_of(build(protocol=declared, split='test'))} == {'right'}


def test_a_ratio_keeps_recordings_whole(build):
    declared = dict(ratio=(60, 20, 20), group='recording', seed=4)
    splits = {
        name: items_of(build(protocol=declared, split=name)) for name in ('train', 'val', 'test')
    }
    assert [len(items) for items in splits.values()] == [72, 24, 24]
    recordings = [{item['recording'] for item in items} for items in splits.values()]
    assert len(set.union(*recordings)) == sum(map(len, recordings)) == 60
    again = items_of(build(rows=make_rows()[::-1], protocol=declared, split='test'))
    assert {i['filename'] for i in again} == {i['filename'] for i in splits['test']}
    other = items_of(build(protocol={**declared, 'seed': 5}, split='test'))
    assert {i['filename'] for i in other} != {i['filename'] for i in again}


def test_the_audit_of_a_protocol(build):
    def audit(**changes):
        splits = {name: build(split=name, **changes).protocol_rows() for name in ('train', 'test')}
        return audit_protocol(splits)

    takes = audit()
    assert takes.shared['test']['recordings'] == [] and takes.identity_defined
    assert 'no take of test is in train' in takes.findings
    # Nothing says that a person came back on another day.
    assert any('3 of 3 sessions' in line for line in takes.findings)
    cameras = audit(protocol=dict(hold_out='camera'))
    assert len(cameras.shared['test']['recordings']) == 60
    assert any('another camera' in line for line in cameras.findings)
    people = audit(protocol=dict(hold_out='subject'))
    assert not people.identity_defined and 'not defined: 1 of 1 people' in people.findings[0]
    gender = audit(protocol=dict(hold_out='subject'), privacy='gender', fold=3)
    assert gender.identity_defined and gender.shared['test']['subjects'] == []


def test_sessions_where_the_annotation_has_them(build):
    rows = [{**row, 'session': (row['take'] + 1) // 2} for row in make_rows()]
    columns = (*COLUMNS, 'session')
    splits = {
        name: build(rows, columns, protocol=dict(hold_out='session'), split=name).protocol_rows()
        for name in ('train', 'test')
    }
    assert any('other sessions only' in line for line in audit_protocol(splits).findings)


def test_another_privacy_label(build):
    dataset = build(privacy='gender')
    assert dataset.metainfo['subjects'] == ('f', 'm')
    ben = next(item for item in items_of(dataset) if item['person'] == 'Ben')
    assert (ben['subject'], ben['subject_name']) == (1, 'm')


def test_attributes(build):
    rows = [{**row, 'glasses': int(row['subject'] == 'Ben'), 'tall': 1} for row in make_rows()]
    columns = (*COLUMNS, 'glasses', 'tall')
    dataset = build(rows, columns, privacy=['glasses', 'tall'])
    assert dataset.metainfo['attributes'] == ('glasses', 'tall')
    ben = next(item for item in items_of(dataset) if item['person'] == 'Ben')
    np.testing.assert_array_equal(ben['attributes'], [1, 1])
    packed = DATASETS.get('SubjectVideoDataset')  # registered
    assert packed is SubjectVideoDataset
    rows[5]['tall'] = 2
    with pytest.raises(ValueError, match='attribute tall must be 0 or 1, got 2'):
        build(rows, columns, privacy=['tall'])


def test_attributes_reach_the_sample(synthetic_own, tmp_path):
    text = synthetic_own.annotation.read_text().splitlines()
    lines = [text[0] + ',tall', *(f'{line},{i % 2}' for i, line in enumerate(text[1:]))]
    (tmp_path / 'tall.csv').write_text('\n'.join(lines))
    dataset = SubjectVideoDataset(
        str(tmp_path / 'tall.csv'),
        RAW_PIPELINE,
        data_prefix=dict(video=str(synthetic_own.root)),
        privacy=['tall'],
    )
    # Take 1 tests: the first clip of train is the second line.
    sample = dataset[0]['data_samples']
    assert torch.equal(sample.gt_attributes, torch.ones(1))
    assert sample.metainfo['held_out'] == 2


def test_subsets_and_declared_names(build):
    subset = build(actions=['wave'], subjects=['Carl', 'Anna'])
    assert subset.metainfo == dict(classes=('wave',), subjects=('Anna', 'Carl'))
    metainfo = dict(classes=['crawl', 'hop', 'wave'], subjects=['Zoe', 'Anna', 'Ben', 'Carl'])
    declared = build(metainfo=metainfo)
    assert declared.metainfo['subjects'] == ('Zoe', 'Anna', 'Ben', 'Carl')
    assert {item['label'] for item in items_of(declared)} == {1, 2}


def test_what_no_list_knows_is_counted_and_named(build, monkeypatch):
    lines = []
    monkeypatch.setattr('bdq_plugin.datasets.clips.print_log', lambda line, **_: lines.append(line))
    build(metainfo=dict(subjects=['Anna', 'Ben']))
    assert lines == [
        'SubjectVideoDataset: left 40 of 120 clips out, whose subject it does not know: 1 (Carl 40)'
    ]
    with pytest.raises(ValueError, match=r'knows the action of none of its 120 of 120.*bdq_own'):
        build(metainfo=dict(classes=['run']))


def test_wrappers(build):
    config = dict(
        type='SubjectVideoDataset',
        ann_file=build().ann_file,
        data_prefix=dict(video=''),
        data_root=str(build().data_root),
        pipeline=[],
        protocol=dict(hold_out='take'),
    )
    repeated = RepeatDataset(dict(config, type='mmaction.SubjectVideoDataset'), times=3)
    assert len(repeated) == 3 * 108 and repeated.metainfo['classes'] == ('hop', 'wave')
    both = ConcatDataset(
        [dict(config, type='mmaction.SubjectVideoDataset', fold=fold) for fold in (1, 2)]
    )
    assert len(both) == 216 and both.metainfo['subjects'] == ('Anna', 'Ben', 'Carl')


@pytest.mark.parametrize(
    ('protocol', 'words'),
    [
        (dict(hold_out='day'), 'needs a column day, which the annotation lacks; it has action'),
        (dict(hold_out='take', column='split'), 'exactly one of hold_out, column'),
        (dict(hold_out='take', fould=3), 'unknown fould; hold_out goes with fold, values, folds'),
        (dict(hold_out='take', fold=11), 'has fold 1 to 10, got 11'),
        (dict(column='gender'), "gender is 'f', not train, val or test; name the values"),
        (dict(column='gender', train=['m'], test=['x']), "no place for gender 'f'"),
        (dict(ratio=(60,)), 'shares of train and test'),
        (dict(ratio=(1, 0)), 'all above 0'),
        (dict(ratio=(1, 1), group='gender', seed=1, val=3), 'unknown val'),
        ('day', 'needs a column day'),
    ],
)
def test_wrong_protocols(build, protocol, words):
    with pytest.raises(ValueError, match=words):
        build(protocol=protocol)


def test_two_folds(build):
    with pytest.raises(ValueError, match='fold=2 was asked for, but protocol .* says fold=3'):
        build(protocol=dict(hold_out='take', fold=3), fold=2)


def test_one_take_a_person_cannot_be_held_out(build):
    rows = [row for row in make_rows() if row['take'] == 4]
    with pytest.raises(ValueError, match='two values of take or more: every clip has .4.'):
        build(rows)


def test_a_half_empty_column(build):
    rows = make_rows()
    for row in rows[:7]:
        row['take'] = ''
    assert len(build(rows, protocol=dict(hold_out='camera'))) == 60
    with pytest.raises(ValueError, match=r'none for 7 \(hop/Anna_1_left.avi, '):
        build(rows)
    with pytest.raises(ValueError, match=r'privacy=.height. needs a value .* none for 120'):
        build(privacy='height')


def test_one_name_in_two_spellings(build):
    rows = make_rows()
    rows[3]['subject'] = 'anna '
    with pytest.raises(ValueError, match=r"several ways: 'Anna' \(39 rows\), 'anna' \(1 rows\)"):
        build(rows)


def test_the_message_where_there_is_no_annotation(build):
    with pytest.raises(FileNotFoundError, match=r'python tools/data/folder/prepare\.py'):
        build(ann_file='nowhere.csv')


@pytest.mark.parametrize('grey', [True, False])
def test_a_cache_of_small_frames_equals_the_pipeline_without_it(synthetic_own, grey):
    end = [dict(type='mmaction.ToGray')] if grey else []
    pipeline = [
        dict(type='mmaction.ClipInit'),
        dict(type='mmaction.SampleFrames', clip_len=6, frame_interval=2, test_mode=True),
        dict(type='mmaction.ClipDecode', grey=grey),
        dict(type='mmaction.Resize', scale=(40, 36), keep_ratio=False),
        *end,
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='mmaction.PackSubjectInputs'),
    ]
    plain, cached = (
        SubjectVideoDataset(
            str(synthetic_own.annotation),
            pipeline,
            data_prefix=dict(video=str(synthetic_own.root)),
            split='test',
            cache=cache,
        )
        for cache in (False, dict(scale=(40, 36), grey=grey))
    )
    channels = 1 if grey else 3
    assert cached._cached_clips.nbytes == 6 * 20 * 40 * 36 * channels
    for i in (0, 3):
        assert plain[i]['inputs'].shape == (1, channels, 6, 36, 40)
        assert torch.equal(cached[i]['inputs'], plain[i]['inputs'])
    with pytest.raises(ValueError, match='a dict of scale, grey, shared'):
        SubjectVideoDataset(str(synthetic_own.annotation), [], cache=dict(size=3))


def test_videos_of_mixed_sizes_become_one(synthetic_own, synthetic_kth, tmp_path):
    root = shutil.copytree(synthetic_own.root, tmp_path / 'videos')
    shutil.copy(next((synthetic_kth.root / 'videos').iterdir()), root / 'walking' / 'dora_1.avi')
    prepare_folder(root, tmp_path / 'own.csv', pattern='{action}/{subject}_{take}')
    resize = dict(type='mmaction.Resize', scale=(40, 36), keep_ratio=False)
    dataset = SubjectVideoDataset(
        str(tmp_path / 'own.csv'),
        [*RAW_PIPELINE[:3], resize, *RAW_PIPELINE[3:]],
        data_prefix=dict(video=str(root)),
        protocol=dict(column='subject', train=['anna', 'dora'], test=['ben', 'carla']),
    )
    assert {item['width'] for item in map(dict, dataset._rows)} == {64, 80}
    assert {tuple(dataset[i]['inputs'].shape) for i in (0, len(dataset) - 1)} == {(1, 3, 4, 36, 40)}


def test_data_of_ones_own_in_a_recipe_of_ixmas(synthetic_own):
    with pytest.raises(ValueError, match='the header lacks camera; it has video, action'):
        IXMASDataset(str(synthetic_own.annotation), [])
    text = synthetic_own.annotation.read_text().splitlines()
    lines = [text[0] + ',camera', *(f'{line},0' for line in text[1:])]
    annotation = synthetic_own.root.parent / 'cameras.csv'
    annotation.write_text('\n'.join(lines))
    with pytest.raises(ValueError, match=r'knows the action of none .*handwaving 9.*bdq_own\.py'):
        IXMASDataset(str(annotation), [])
