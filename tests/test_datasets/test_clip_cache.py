"""The cache of clips: the same frames, in memory that processes share."""

from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, get_worker_info

from bdq_plugin.datasets import KTHDataset, clip_cache
from bdq_plugin.datasets.clip_cache import ClipCache
from bdq_plugin.video.reader import ArrayReader

KEYS = [('a.avi', 0, 3), ('a.avi', 3, 2), ('b.avi', 0, 4)]


def make_clips() -> dict:
    rng = np.random.default_rng(0)
    shapes = [(3, 4, 5, 1), (2, 4, 5, 1), (4, 6, 2, 3)]
    return {
        key: ArrayReader(rng.integers(0, 256, shape, dtype=np.uint8), key[1], 25.0)
        for key, shape in zip(KEYS, shapes, strict=True)
    }


@pytest.mark.parametrize('shared', [False, True])
def test_what_went_in_comes_out(shared):
    expected, clips = make_clips(), make_clips()
    cache = ClipCache(clips, shared)
    assert not clips
    assert cache.is_shared == shared
    assert cache.nbytes == sum(clip.frames.size for clip in expected.values())
    for key, clip in expected.items():
        found = cache.get(key)
        np.testing.assert_array_equal(found.frames, clip.frames)
        assert (found.first, found.fps) == (key[1], 25.0)
    assert cache.get(('a.avi', 0, 2)) is None
    assert len(ClipCache({}, shared)._places) == 0


def test_private_memory_is_copied_on_its_way_to_a_spawned_process():
    cache = ClipCache(make_clips())
    other = pickle.loads(ForkingPickler.dumps(cache))
    other.get(KEYS[0]).frames[:] = 7
    assert not (cache.get(KEYS[0]).frames == 7).all()


def test_too_little_shared_memory_is_said_before_it_is_a_bus_error(monkeypatch):
    monkeypatch.setattr(clip_cache.shutil, 'disk_usage', lambda path: type('U', (), {'free': 10}))
    with pytest.raises(OSError, match=r'docker run --shm-size.*cache=True'):
        ClipCache(make_clips(), shared=True)
    assert ClipCache(make_clips()).nbytes > 10


def mark_and_report_threads(item: dict) -> dict:
    assert get_worker_info() is not None
    item['video_reader'].frames[:] = 7
    return dict(threads=(torch.get_num_threads(), cv2.getNumThreads()))


@pytest.mark.parametrize(
    ('cache', 'start', 'is_marked'),
    [(True, 'fork', False), ('shared', 'fork', True), ('shared', 'spawn', True)],
)
def test_workers_share_one_cache_and_use_one_thread(synthetic_kth, cache, start, is_marked):
    dataset = KTHDataset(
        str(synthetic_kth.annotation),
        pipeline=[mark_and_report_threads],
        data_prefix=dict(video=str(synthetic_kth.root / 'videos')),
        protocol='subsequence',
        subjects=['person01'],
        actions=['boxing'],
        cache=cache,
    )
    loader = DataLoader(
        dataset, num_workers=1, multiprocessing_context=start, collate_fn=pseudo_collate
    )
    for batch in loader:
        assert [int(count[0]) for count in batch['threads']] == [1, 1]
    for place in dataset._cached_clips._places.values():
        assert (dataset._cached_clips._frames(place) == 7).all() == is_marked


def test_unknown_cache(synthetic_kth):
    with pytest.raises(ValueError, match="False, True, 'shared' or a dict .* got 'disk'"):
        KTHDataset(str(synthetic_kth.annotation), [], protocol='subsequence', cache='disk')
