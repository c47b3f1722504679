"""Several crops or samplings of a clip: each is encoded for itself, in every layout."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import Compose

from bdq_plugin.models import BDQDataPreprocessor

TEN, THREE = dict(type='TenCrop', crop_size=16), dict(type='ThreeCrop', crop_size=24)
# Layout, sampling, crops: number of views and of their frames.
VIEWS = {
    'ten crops': ('NCTHW', dict(clip_len=5), [TEN], 10, 5),
    'three crops': ('NCTHW', dict(clip_len=5), [THREE], 3, 5),
    'two clips': ('NCTHW', dict(clip_len=5, num_clips=2), [], 2, 5),
    'twice': ('NCTHW', dict(clip_len=5, num_clips=2, twice_sample=True), [THREE], 12, 5),
    'ten crops, 2D': ('NCHW', dict(clip_len=1, num_clips=5), [TEN], 10, 5),
    'three crops, 2D': ('NCHW', dict(clip_len=1, num_clips=5), [THREE], 3, 5),
    'two clips, 2D': ('NCHW', dict(clip_len=5, num_clips=2), [], 2, 5),
    'twice, 2D': ('NCHW', dict(clip_len=1, num_clips=5, twice_sample=True), [], 2, 5),
    'all at once, 2D': ('NCHW', dict(clip_len=3, num_clips=2), [THREE], 6, 3),
}


def video(still):
    generator = np.random.default_rng(0)
    if still:
        return np.repeat(generator.integers(0, 256, (1, 24, 32, 3), dtype=np.uint8), 20, 0)
    return generator.integers(0, 256, (20, 24, 32, 3), dtype=np.uint8)


def packed(frames, layout, sampling, crops, pack='PackActionInputs'):
    """What a stock pipeline makes of ``frames``."""
    pipeline = Compose(
        [
            dict(type='SampleFrames', test_mode=True, **sampling),
            dict(type='ArrayDecode'),
            *crops,
            dict(type='FormatShape', input_format=layout),
            dict(type=pack),
        ]
    )
    item = dict(array=frames, total_frames=len(frames), start_index=0, modality='RGB', label=0)
    return pipeline(item)


def encode(encoder, layout, sample, inputs=None, **options):
    preprocessor = BDQDataPreprocessor(encoder, format_shape=layout, **options).eval()
    inputs = sample['inputs'] if inputs is None else inputs
    data = dict(inputs=[inputs], data_samples=[sample['data_samples']])
    with torch.no_grad():
        return preprocessor(data)['inputs'][0]


@pytest.mark.parametrize('encoder', ['bdq', 'bdq_hard', 'd', 'bdq_released'])
@pytest.mark.parametrize('name', VIEWS)
def test_a_still_scene_gives_the_level_of_no_motion_alone(name, encoder):
    layout, sampling, crops, views, frames = VIEWS[name]
    sample = packed(video(still=True), layout, sampling, crops)
    out = encode(encoder, layout, sample)
    black = encode(encoder, layout, sample, torch.zeros_like(sample['inputs']))
    assert torch.equal(out, black)
    for channel in out.transpose(0, 1).flatten(1):
        assert len(channel.unique()) == 1
    size = crops[0]['crop_size'] if crops else None
    pixels = (size, size) if size else (24, 32)
    if layout == 'NCTHW':
        assert out.shape == (views, 3, frames - 1, *pixels)
    else:
        assert out.shape == (views * (frames - 1), 3, *pixels)


@pytest.mark.parametrize('encoder', ['bdq', 'bdq_hard', 'd', 'pass_through'])
@pytest.mark.parametrize('name', VIEWS)
def test_each_view_looks_as_it_would_alone(name, encoder):
    layout, sampling, crops, views, frames = VIEWS[name]
    sample = packed(video(still=False), layout, sampling, crops, pack='PackSubjectInputs')
    together = encode(encoder, layout, sample).unflatten(0, (views, -1))
    length = 1 if layout == 'NCTHW' else frames
    assert len(sample['inputs']) == views * length
    for view in range(views):
        part = sample['inputs'][view * length : (view + 1) * length]
        torch.testing.assert_close(together[view], encode(encoder, layout, sample, part))


@pytest.mark.parametrize('layout', ['NCTHW', 'NCHW'])
def test_a_privacy_step_sees_one_frame_of_each_view(layout):
    sample = packed(video(still=False), layout, dict(clip_len=5, num_clips=2), [THREE])
    preprocessor = BDQDataPreprocessor('d', format_shape=layout)
    preprocessor.one_frame = True
    data = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
    seen = preprocessor(data, True)['inputs'][0]
    whole = encode('d', layout, sample)
    if layout == 'NCTHW':
        seen, whole = seen[:, :, 0], whole.transpose(1, 2)
    else:
        whole = whole.unflatten(0, (6, 4))
    assert any(torch.allclose(seen, whole[:, t], atol=1e-6) for t in range(4))


def test_explicit_meta_keys_do_not_lose_the_layout():
    """As configs that name their own keys, and workers that are spawned, need it."""
    import pickle

    from mmaction.datasets.transforms import PackActionInputs

    pack = pickle.loads(pickle.dumps(PackActionInputs(meta_keys=('img_shape',))))
    item = dict(imgs=np.zeros((6, 3, 4, 4)), img_shape=(4, 4), clip_len=1, num_clips=6, label=0)
    sample = pack(item)['data_samples']
    assert set(sample.metainfo_keys()) == {'img_shape', 'clip_len', 'num_clips'}


class TestWhatCannotBeKnown:
    def data(self, *layouts, shape=(6, 3, 8, 8)):
        return dict(
            inputs=[torch.zeros(shape, dtype=torch.uint8) for _ in layouts],
            data_samples=[ActionDataSample(metainfo=layout) for layout in layouts],
        )

    def test_no_layout(self):
        with pytest.raises(ValueError, match=r'clip_len and num_clips.*PackActionInputs.*custom_i'):
            BDQDataPreprocessor('d')(self.data({}))

    def test_two_layouts_in_a_batch(self):
        data = self.data(dict(clip_len=1, num_clips=6), dict(clip_len=1, num_clips=3))
        with pytest.raises(ValueError, match=r'same for the whole batch.*\(1, 6\), \(1, 3\)'):
            BDQDataPreprocessor('d')(data)

    def test_frames_that_are_no_whole_number_of_views(self):
        with pytest.raises(ValueError, match=r'6 frames .* views of 4 frames .*num_clips=4'):
            BDQDataPreprocessor('d')(self.data(dict(clip_len=1, num_clips=4)))

    @pytest.mark.parametrize(
        ('format_shape', 'shape'),
        [('NCHW', (1, 3, 6, 8, 8)), ('NCTHW', (6, 3, 8, 8)), ('NCTHW', (3, 6, 8, 8))],
    )
    def test_another_layout_than_the_pipeline_s(self, format_shape, shape):
        data = self.data(dict(clip_len=6, num_clips=1), shape=shape)
        match = rf"format_shape='{format_shape}' reads .*, got .*FormatShape.*collapse=False"
        with pytest.raises(ValueError, match=match):
            BDQDataPreprocessor('d', format_shape=format_shape)(data)

    def test_clips_of_two_lengths_in_a_batch(self):
        """Filled up with black, the shorter one would show its last frame in clear."""
        data = self.data(*[dict(clip_len=6, num_clips=1)] * 2, shape=(1, 3, 6, 8, 8))
        data['inputs'][1] = data['inputs'][1][:, :, :4]
        with pytest.raises(ValueError, match='differ in their number of frames'):
            BDQDataPreprocessor('d', format_shape='NCTHW')(data)
