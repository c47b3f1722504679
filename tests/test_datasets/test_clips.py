"""The data sets: items, labels, subsets, cache, and what users get wrong."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from bdq_plugin.datasets import IXMASDataset, KTHDataset
from bdq_plugin.datasets.annotations import read_annotations, write_annotations
from bdq_plugin.datasets.ixmas import IXMAS_COLUMNS
from bdq_plugin.datasets.kth import KTH_COLUMNS

RAW_PIPELINE = [
    dict(type='mmaction.ClipInit'),
    dict(type='mmaction.SampleFrames', clip_len=8, test_mode=True),
    dict(type='mmaction.ClipDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackSubjectInputs'),
]


@pytest.fixture
def build(synthetic_kth):
    """Build a KTHDataset of the synthetic videos."""

    def build(**changes):
        arguments = dict(
            data_root=str(synthetic_kth.root),
            ann_file='kth.csv',
            data_prefix=dict(video='videos'),
            pipeline=RAW_PIPELINE,
            protocol='subsequence',
        )
        return KTHDataset(**{**arguments, **changes})

    return build


def test_items(build):
    dataset = build(split='test')
    assert len(dataset) == 3 * 6 * 2
    item = dataset.get_data_info(0)
    assert item['filename'].endswith('videos/person01_boxing_d1_uncomp.avi')
    expected = dict(
        label=0,
        subject=0,
        action_name='boxing',
        subject_name='person01',
        start_index=108,
        end_frame=144,
        num_frames=36,
        recording='person01_boxing_d1',
        scenario=1,
        sequence=4,
    )
    assert {key: item[key] for key in expected} == expected
    assert len(dataset.metainfo['subjects']) == 25


def test_sampled_frames_stay_in_the_clip(build):
    from bdq_plugin.datasets import open_video

    dataset = build(split='test')
    packed = dataset[0]
    # The centre 8 of frames 108 to 143.
    expected = open_video(dataset.get_data_info(0)['filename']).get_batch(range(122, 130))
    frames = packed['inputs'][0].permute(1, 2, 3, 0).numpy()
    np.testing.assert_array_equal(frames, expected)


def test_builds_from_the_registry_and_loads_a_batch_in_workers(build, synthetic_kth):
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(
            dict(
                type='KTHDataset',
                data_root=str(synthetic_kth.root),
                ann_file='kth.csv',
                data_prefix=dict(video='videos'),
                pipeline=RAW_PIPELINE,
                protocol='scenario',
                fold=2,
            )
        )
    loader = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=pseudo_collate)
    batch = next(iter(loader))
    assert [tuple(clip.shape) for clip in batch['inputs']] == [(1, 3, 8, 60, 80)] * 4
    sample = batch['data_samples'][0]
    assert torch.equal(sample.gt_subject, torch.tensor([0]))
    assert sample.metainfo['scenario'] == 1


def test_subsets_are_numbered_anew_in_sorted_order(build):
    dataset = build(actions=['walking', 'boxing'], subjects=['person03', 'person01'])
    assert dataset.metainfo['classes'] == ('boxing', 'walking')
    assert dataset.metainfo['subjects'] == ('person01', 'person03')
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert {(item['action_name'], item['label']) for item in items} == {
        ('boxing', 0),
        ('walking', 1),
    }
    assert {(item['subject_name'], item['subject']) for item in items} == {
        ('person01', 0),
        ('person03', 1),
    }
    # The class's own METAINFO is not touched.
    assert len(KTHDataset.METAINFO['classes']) == 6


def test_a_subset_does_not_move_clips_between_sides(build):
    def names(**changes):
        dataset = build(protocol='random60', split='test', **changes)
        items = [dataset.get_data_info(i) for i in range(len(dataset))]
        return {(item['recording'], item['sequence']) for item in items}

    subset = names(subjects=['person02'])
    assert subset == {pair for pair in names() if pair[0].startswith('person02')}


@pytest.mark.parametrize('indices', [[0, 17, 30]])
def test_cache_equals_uncached(build, indices, monkeypatch):
    plain, cached = build(split='val'), build(split='val', cache=True)
    monkeypatch.setattr('bdq_plugin.datasets.transforms.IsolatedVideo', None)
    from_cache = [cached[i] for i in indices]
    monkeypatch.undo()
    for i, packed in zip(indices, from_cache, strict=True):
        assert torch.equal(packed['inputs'], plain[i]['inputs'])
        assert packed['data_samples'].metainfo == plain[i]['data_samples'].metainfo


def test_cached_frames_survive_transforms_in_place(build):
    flipping = [*RAW_PIPELINE[:3], dict(type='mmaction.Flip', flip_ratio=1), *RAW_PIPELINE[3:]]
    dataset = build(split='val', cache=True, pipeline=flipping)
    assert torch.equal(dataset[0]['inputs'], dataset[0]['inputs'])
    assert torch.equal(dataset[0]['inputs'].flip(-1), build(split='val')[0]['inputs'])


def test_short_sub_sequences_are_dropped(build, synthetic_kth, tmp_path):
    rows = read_annotations(synthetic_kth.annotation, KTH_COLUMNS)
    rows[0]['end_frame'] = rows[0]['start_frame'] + 31
    write_annotations(tmp_path / 'short.csv', rows, KTH_COLUMNS)
    ann_file = str(tmp_path / 'short.csv')
    assert len(build(ann_file=ann_file)) == len(build()) - 1
    assert len(build(ann_file=ann_file, min_frames=31)) == len(build())


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(protocol='take'), 'unknown protocol of kth .*scenario'),
        (dict(split='dev'), 'train, val, test'),
        (dict(fold=2), 'has fold 1'),
        (dict(actions=['swimming']), "unknown actions 'swimming'.*boxing"),
        (dict(actions='six'), "unknown set of actions 'six'.*all"),
        (dict(actions=[]), 'an empty list'),
        (dict(subjects=['person26']), "unknown subjects 'person26'.*person25"),
        (dict(subjects='person01'), 'must be a list'),
        (dict(subjects=['person09']), 'no clip for protocol'),
        (dict(min_frames=0), 'min_frames must be 1 or more'),
        (dict(min_frames=37), 'no clip for protocol'),
    ],
)
def test_wrong_arguments(build, changes, words):
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_missing_annotation_names_the_command(build):
    with pytest.raises(FileNotFoundError, match=r'python tools/data/kth/prepare\.py'):
        build(ann_file='nowhere.csv')


def test_missing_videos_are_named_before_any_epoch(build):
    with pytest.raises(FileNotFoundError, match=r'of 36 .* missing: 36 \(.*person01_boxing'):
        build(data_prefix=dict(video='elsewhere'))


def test_annotation_that_leaves_the_root(build, tmp_path, synthetic_kth):
    text = synthetic_kth.annotation.read_text().replace('person01_boxing_d1_', '../person01_', 1)
    (tmp_path / 'kth.csv').write_text(text)
    with pytest.raises(ValueError, match='leaves the data root'):
        build(ann_file=str(tmp_path / 'kth.csv'))


def test_a_video_that_was_truncated_after_preparing(synthetic_kth, tmp_path):
    shutil.copytree(synthetic_kth.root, tmp_path / 'kth')
    video = tmp_path / 'kth' / 'videos' / 'person01_boxing_d1_uncomp.avi'
    video.write_bytes(video.read_bytes()[:20000])
    dataset = KTHDataset(
        str(tmp_path / 'kth' / 'kth.csv'),
        RAW_PIPELINE,
        data_prefix=dict(video=str(tmp_path / 'kth' / 'videos')),
        protocol='subsequence',
        split='test',
    )
    with pytest.raises(OSError, match='person01_boxing_d1_uncomp'):
        dataset[0]


# IXMAS


def write_ixmas(path, changes=()):
    rows = [
        dict(
            video=f'{subject}{take}_kick_cam{camera}.avi',
            action='kick',
            subject=subject,
            take=take,
            camera=camera,
            num_frames=20,
        )
        for subject in ('alba', 'amel', 'pao')
        for take in (1, 2, 3)
        for camera in (0, 1)
    ]
    for row in rows:
        (path / row['video']).touch()
    write_annotations(path / 'ixmas.csv', rows, IXMAS_COLUMNS)
    return str(path / 'ixmas.csv')


def ixmas(path, **changes):
    arguments = dict(ann_file=write_ixmas(path), data_prefix=dict(video=str(path)), pipeline=[])
    return IXMASDataset(**{**arguments, **changes})


def test_people_beyond_the_ten_are_left_out(tmp_path):
    dataset = ixmas(tmp_path, fold=3)
    assert len(dataset) == 8
    assert {dataset.get_data_info(i)['subject_name'] for i in range(8)} == {'alba', 'amel'}


@pytest.mark.parametrize(('actions', 'count'), [('six', 6), ('all', 12), (['kick', 'wave'], 2)])
def test_action_sets(tmp_path, actions, count):
    dataset = ixmas(tmp_path, actions=actions)
    classes = dataset.metainfo['classes']
    assert len(classes) == count
    assert dataset.get_data_info(0)['label'] == classes.index('kick')


def test_short_clips_are_an_error(tmp_path):
    with pytest.raises(ValueError, match='8 clips are shorter than min_frames=24'):
        ixmas(tmp_path, min_frames=24)


def test_take_has_no_val(tmp_path):
    with pytest.raises(ValueError, match="no val split; use 'test'"):
        ixmas(tmp_path, split='val')


def test_real_ixmas(ixmas_raw, ixmas_annotation, real_data):
    arguments = dict(ann_file=str(ixmas_annotation), data_prefix=dict(video=str(ixmas_raw)), fold=3)
    train = IXMASDataset(**arguments, pipeline=RAW_PIPELINE)
    test = IXMASDataset(**arguments, split='test', pipeline=RAW_PIPELINE)
    assert (len(train), len(test)) == (240, 120)
    packed = test[0]
    assert packed['inputs'].shape == (1, 3, 8, 64, 48)
    info = test.get_data_info(0)
    with open(real_data / 'ixmas' / 'clips.csv', newline='') as file:
        lengths = {row['name']: int(row['num_frames']) for row in csv.DictReader(file)}
    assert info['num_frames'] == lengths[info['filename'].rpartition('/')[2]]
    assert info['recording'] == f'{info["subject_name"]}3_{info["action_name"]}'
