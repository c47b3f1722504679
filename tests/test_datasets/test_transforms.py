"""Our transforms, alone and between MMAction2's own."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import (
    CenterCrop,
    DenseSampleFrames,
    Flip,
    FormatShape,
    MultiScaleCrop,
    Resize,
    SampleFrames,
    UniformSample,
)
from mmengine.dataset import Compose

from bdq_plugin.datasets import (
    ClipDecode,
    ClipInit,
    GreyToRGB,
    PackSubjectInputs,
    RandomShift,
    ToGray,
)
from bdq_plugin.video.reader import ArrayReader


class SpyReader(ArrayReader):
    """Remembers which frames were asked for."""

    def get_batch(self, indices, grey=False):
        self.asked = list(indices)
        return super().get_batch(indices, grey)


@pytest.fixture
def clip():
    """Frames 50 to 89 of a video: frame i is grey value i, 24 x 32 pixels."""
    frames = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 24, 32, 1), np.uint8)
    return dict(
        filename='in_memory.avi',
        video_reader=SpyReader(frames, fps=25.0),
        start_index=50,
        num_frames=40,
        label=1,
        subject=4,
        subject_name='person05',
        recording='r',
        modality='RGB',
    )


@pytest.mark.parametrize(
    'sampler',
    [
        SampleFrames(clip_len=8, frame_interval=2),
        SampleFrames(clip_len=8, num_clips=3, test_mode=True),
        SampleFrames(clip_len=64),
        SampleFrames(clip_len=8, target_fps=50),
        UniformSample(clip_len=16),
        UniformSample(clip_len=16, test_mode=True),
        DenseSampleFrames(clip_len=8),
    ],
)
def test_stock_samplers_stay_in_the_clip(clip, sampler):
    results = Compose([ClipInit(), sampler, ClipDecode()])(clip)
    seen = {int(img[0, 0, 0]) for img in results['imgs']}
    assert seen <= set(range(50, 90))
    assert seen == set(results['frame_inds'].tolist())


def test_only_the_frames_that_are_used_are_decoded_each_once(clip):
    reader = clip['video_reader']
    results = Compose([ClipInit(), SampleFrames(clip_len=48, test_mode=True), ClipDecode()])(clip)
    assert reader.asked == list(range(50, 90))
    assert len(results['imgs']) == 48
    assert 'video_reader' not in results
    assert results['img_shape'] == results['original_shape'] == (24, 32)
    assert results['imgs'][0].shape == (24, 32, 3)
    # The 8 repeated frames are arrays of their own.
    results['imgs'][0][:] = 0
    assert results['imgs'][40][0, 0, 0] == 50


def test_an_item_without_extent_is_its_whole_video(clip):
    for key in ('start_index', 'num_frames', 'subject'):
        del clip[key]
    results = ClipInit()(clip)
    assert (results['start_index'], results['total_frames']) == (0, 100)


def test_clip_init_rejects_a_timeout_of_nothing():
    with pytest.raises(ValueError, match='timeout must be more than 0'):
        ClipInit(timeout=0)


def test_random_shift_moves_all_frames_alike_and_replicates_the_edge():
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    padded = np.pad(img, ((4, 4), (4, 4), (0, 0)), mode='edge')
    candidates = [padded[y : y + 6, x : x + 8] for y in range(9) for x in range(9)]
    np.random.seed(0)
    seen = set()
    for _ in range(200):
        first, second = RandomShift(4)(dict(imgs=[img, img], img_shape=(6, 8)))['imgs']
        np.testing.assert_array_equal(first, second)
        hits = [k for k, other in enumerate(candidates) if np.array_equal(first, other)]
        assert len(hits) == 1
        seen.add(hits[0])
    assert len(seen) > 60


def test_no_shift_is_identity_and_negative_is_refused():
    img = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(
        RandomShift(0)(dict(imgs=[img], img_shape=(2, 4)))['imgs'][0], img
    )
    with pytest.raises(ValueError, match='max_shift'):
        RandomShift(-1)


def test_to_gray_keeps_every_grey_value_and_weighs_colours():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    (img,) = ToGray()(dict(imgs=[np.repeat(grey, 3, axis=2)]))['imgs']
    np.testing.assert_array_equal(img, grey)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert ToGray()(dict(imgs=[red]))['imgs'][0].tolist() == [[[76], [76]], [[76], [76]]]


def test_to_gray_takes_grey_frames_as_they_are():
    img = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (out,) = ToGray()(dict(imgs=[img]))['imgs']
    np.testing.assert_array_equal(out, img[..., None])


def test_grey_to_rgb_copies_nothing_and_leaves_colour():
    frames = [np.full((4, 6), i, np.uint8) for i in range(3)]
    results = GreyToRGB()(dict(imgs=frames, num_clips=1, clip_len=3))
    assert results['imgs'].shape == (3, 4, 6, 3)
    inputs = PackSubjectInputs()(FormatShape('NCTHW')(results))['inputs']
    assert inputs.shape == (1, 3, 3, 4, 6)
    assert inputs.untyped_storage().nbytes() == 3 * 4 * 6
    assert inputs[0, :, :, 0, 0].tolist() == [[0, 1, 2]] * 3
    colour = [np.zeros((4, 6, 3), np.uint8)]
    assert GreyToRGB()(dict(imgs=colour))['imgs'] is colour


AUGMENT = (
    MultiScaleCrop(input_size=32, scales=(1, 0.8, 0.6), max_wh_scale_gap=0, random_crop=True),
    Resize(scale=(32, 32), keep_ratio=False),
    Flip(flip_ratio=0.5),
    RandomShift(max_shift=2),
)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('to_channels', [(), (ToGray(),)], ids=['rgb', 'gray'])
def test_the_grey_way_gives_the_same_tensor_as_three_channels(clip, seed, to_channels):
    rng = np.random.default_rng(seed)
    clip['video_reader'].frames = rng.integers(0, 256, (100, 24, 32, 1), dtype=np.uint8)

    def run(grey):
        random.seed(seed)
        np.random.seed(seed)
        pipeline = [ClipInit(), SampleFrames(clip_len=8), ClipDecode(grey=grey), *AUGMENT]
        last = to_channels or ((GreyToRGB(),) if grey else ())
        return Compose([*pipeline, *last, FormatShape('NCTHW'), PackSubjectInputs()])(dict(clip))

    assert torch.equal(run(grey=True)['inputs'], run(grey=False)['inputs'])


def test_pack(clip):
    pipeline = [ClipInit(), UniformSample(16, test_mode=True), ClipDecode(), ToGray()]
    results = Compose([*pipeline, FormatShape('NCTHW'), PackSubjectInputs()])(clip)
    sample = results['data_samples']
    assert results['inputs'].shape == (1, 1, 16, 24, 32)
    assert sample.gt_subject.dtype == torch.int64
    assert torch.equal(sample.gt_subject, torch.tensor([4]))
    assert torch.equal(sample.gt_label, torch.tensor([1]))
    assert sample.metainfo['recording'] == 'r'
    assert sample.metainfo['subject_name'] == 'person05'
    assert 'take' not in sample.metainfo


def test_pack_without_a_subject():
    packed = PackSubjectInputs()(dict(imgs=np.zeros((1, 3, 2, 4, 4), np.uint8), label=0))
    assert not hasattr(packed['data_samples'], 'gt_subject')


def test_paper_recipe(clip):
    train = [
        ClipInit(),
        SampleFrames(clip_len=32),
        ClipDecode(),
        MultiScaleCrop(
            input_size=224,
            scales=(1, 2**-0.25, 2**-0.75, 0.5),
            max_wh_scale_gap=0,
            random_crop=True,
        ),
        Resize(scale=(224, 224), keep_ratio=False),
        Flip(flip_ratio=0.5),
        FormatShape('NCTHW'),
        PackSubjectInputs(),
    ]
    test = [
        ClipInit(),
        SampleFrames(clip_len=32, test_mode=True),
        ClipDecode(),
        Resize(scale=(-1, 224)),
        CenterCrop(crop_size=224),
        FormatShape('NCTHW'),
        PackSubjectInputs(),
    ]
    for pipeline in (train, test):
        inputs = Compose(pipeline)(dict(clip))['inputs']
        assert inputs.shape == (1, 3, 32, 224, 224)
        # 32 consecutive frames of the clip, and no pixel is padding.
        values = inputs[0, 0, :, 0, 0]
        assert torch.equal(values.diff(), torch.ones(31, dtype=torch.uint8))
        assert torch.equal(inputs.amin((0, 1, 3, 4)), values)


def test_small_recipe(clip):
    train = [
        ClipInit(),
        UniformSample(clip_len=16),
        ClipDecode(),
        Flip(flip_ratio=0.5),
        RandomShift(max_shift=4),
        ToGray(),
        FormatShape('NCTHW'),
        PackSubjectInputs(),
    ]
    inputs = Compose(train)(clip)['inputs']
    assert inputs.shape == (1, 1, 16, 24, 32)
    assert inputs[0, 0, :, 0, 0].tolist() == sorted(inputs[0, 0, :, 0, 0].tolist())
    assert inputs.dtype == torch.uint8


def packed_attributes(attributes):
    item = dict(imgs=np.zeros((1, 3, 2, 4, 4), np.uint8), label=0, attributes=attributes)
    return PackSubjectInputs()(item)['data_samples'].gt_attributes


@pytest.mark.parametrize('attributes', [[1], [0, 1, 1], np.array([True, False])])
def test_attributes_are_packed_as_they_are(attributes):
    packed = packed_attributes(attributes)
    assert packed.dtype == torch.float32
    assert packed.tolist() == list(attributes)


@pytest.mark.parametrize('attributes', [[0, -1], [0.5], 1, [[0, 1]]])
def test_attributes_that_are_not_known_are_no_labels(attributes):
    with pytest.raises(ValueError, match='attributes is a list of 0 and 1'):
        packed_attributes(attributes)


def test_reprs():
    assert repr(ClipInit()) == 'ClipInit(timeout=60.0)'
    assert repr(RandomShift(4)) == 'RandomShift(max_shift=4)'
    assert repr(ClipDecode()) + repr(ToGray()) == 'ClipDecode(grey=False)ToGray()'
