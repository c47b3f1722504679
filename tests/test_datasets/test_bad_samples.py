"""Clips that cannot be decoded: each costs itself, is counted, and too many end the training."""

import shutil
import traceback

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import set_random_seed
from torch.utils.data import DataLoader

from bdq_plugin.datasets import KTHDataset
from bdq_plugin.datasets.clips import TooManyBadSamples
from bdq_plugin.video.container import VideoError

PIPELINE = [
    dict(type='mmaction.ClipInit'),
    dict(type='mmaction.UniformSample', clip_len=4),
    dict(type='mmaction.ClipDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackSubjectInputs'),
]
BAD = 'person01_boxing_d1_uncomp.avi'


@pytest.fixture
def build(synthetic_kth, tmp_path):
    """A training set of person01: 24 clips of 12 videos, one of which is cut off after its head."""
    videos = tmp_path / 'videos'
    videos.mkdir()
    for path in (synthetic_kth.root / 'videos').glob('person01*'):
        shutil.copy(path, videos)

    def build(bad=(BAD,), renamed=BAD, **changes):
        for name in bad:
            (videos / name).write_bytes((videos / name).read_bytes()[:3000])
        (videos / BAD).rename(videos / renamed)
        annotation = tmp_path / 'kth.csv'
        annotation.write_text(synthetic_kth.annotation.read_text().replace(BAD, renamed))
        arguments = dict(
            ann_file=str(annotation),
            data_prefix=dict(video=str(videos)),
            pipeline=PIPELINE,
            protocol='subsequence',
            subjects=['person01'],
        )
        return KTHDataset(**{**arguments, **changes})

    return build


def bad_indices(dataset):
    return [i for i in range(len(dataset)) if BAD in dataset.get_data_info(i)['filename']]


def read(dataset, workers=0, seed=0):
    """Every sample's frames, in order."""
    set_random_seed(seed)
    loader = DataLoader(
        dataset,
        num_workers=workers,
        collate_fn=pseudo_collate,
        multiprocessing_context='fork' if workers else None,
    )
    return [batch['inputs'][0] for batch in loader]


def test_a_bad_clip_is_replaced_and_counted(build):
    dataset = build(max_bad_share=0.5)
    first, *others = bad_indices(dataset)
    clips = read(dataset)
    assert len(clips) == len(dataset) == 24
    assert len(dataset.bad_samples) == 1 + len(others)
    item = dataset.get_data_info(first)
    assert dataset.bad_samples[0] == (
        f'{item["filename"]} (frames {item["start_index"]} to {item["end_frame"] - 1})'
    )


def test_the_same_seed_draws_the_same_replacement(build):
    one, two = read(build(max_bad_share=0.5)), read(build((), max_bad_share=0.5))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_counted_in_workers_over_epochs(build):
    dataset = build(max_bad_share=0.5)
    for _ in range(2):
        assert len(read(dataset, workers=2)) == 24
    assert len(dataset.bad_samples) == len(bad_indices(dataset))


@pytest.mark.parametrize('workers', [0, 2])
def test_too_many_end_the_training_with_the_list(build, workers):
    dataset = build(max_bad_share=0.05)
    with pytest.raises(TooManyBadSamples, match=rf'2 of 24 clips.*{BAD}.*;.*{BAD}') as raised:
        read(dataset, workers)
    # Now, and not ten seconds after the garbage collector has found their loader.
    traceback.clear_frames(raised.tb)


def test_none_allowed(build):
    dataset = build(max_bad_share=0)
    with pytest.raises(TooManyBadSamples, match='1 of 24'):
        read(dataset)


@pytest.mark.parametrize('changes', [dict(test_mode=True), dict(split='test')])
def test_a_test_set_never_loses_one(build, changes):
    dataset = build(max_bad_share=1, **changes)
    with pytest.raises(VideoError, match=BAD):
        dataset[bad_indices(dataset)[0]]


def test_cached(build):
    dataset = build(max_bad_share=0.5, cache=True)
    assert len(read(dataset)) == 24
    assert len(dataset.bad_samples) == len(bad_indices(dataset))
    with pytest.raises(VideoError, match=BAD):
        build(cache=True, test_mode=True)
    # Of a few clips these alone are decoded.
    good = next(index for index in range(24) if index not in bad_indices(dataset))
    assert len(build(cache=True, test_mode=True, indices=[good])) == 1


@pytest.mark.parametrize(('fault', 'timeout'), [('crash', 60), ('hang', 4)])
def test_a_decoder_that_fails_costs_the_clip_alone(build, faulty_decoder, fault, timeout):
    pipeline = [dict(type='mmaction.ClipInit', timeout=timeout), *PIPELINE[1:]]
    name = f'{fault}.avi'
    dataset = build((), renamed=name, pipeline=pipeline, max_bad_share=0.5)
    assert len(read(dataset, workers=1)) == 24
    assert len(dataset.bad_samples) == 2
    assert all(f'/{name} ' in sample for sample in dataset.bad_samples)


def test_other_errors_are_not_bad_videos(build):
    def broken(item):
        raise KeyError('a bug of the pipeline')

    dataset = build((), pipeline=[broken], max_bad_share=1)
    with pytest.raises(KeyError, match='a bug'):
        dataset[0]


def test_a_subset_counts_its_own(build):
    dataset = build((), indices=10)
    assert len(dataset._bad) == len(dataset) == 10
    assert dataset.bad_samples == []


@pytest.mark.parametrize('share', [-0.1, 1.1])
def test_bad_share(build, share):
    with pytest.raises(ValueError, match='max_bad_share must be from 0 to 1'):
        build((), max_bad_share=share)
