"""Conditions before the encoder: the same for a clip every time, and what they are said to be."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from bdq_plugin.evaluation.settings import load_data

KINDS = [
    dict(type='ShakeCamera', pixels=1.5),
    dict(type='FlickerLight', amplitude=0.2, period=4.0),
    dict(type='CompressFrames', quality=20),
    dict(type='StepBack', scale=0.5),
    dict(type='StandStill', electrons=500.0),
]


def clip(shape: tuple[int, ...] = (24, 32, 3), name: str = 'a/one.avi') -> dict:
    rng = np.random.default_rng(0)
    still = rng.integers(30, 200, shape, dtype=np.uint8)
    return dict(filename=name, start_index=2, imgs=[still.copy() for _ in range(8)], clip_len=8)


def under(config: dict, results: dict) -> np.ndarray:
    return np.stack(TRANSFORMS.build(config)(results)['imgs'])


@pytest.mark.parametrize('config', KINDS, ids=lambda config: config['type'])
@pytest.mark.parametrize('shape', [(24, 32, 3), (24, 32), (1, 1), (9, 7, 3)])
def test_a_clip_meets_the_same_every_time_wherever_it_lies(config, shape):
    one = under(config, clip(shape))
    assert one.dtype == np.uint8 and one.shape[1:] == shape
    assert np.array_equal(one, under(config, clip(shape, 'elsewhere/one.avi')))


@pytest.mark.parametrize('config', KINDS[:2] + KINDS[3:], ids=lambda config: config['type'])
def test_another_clip_meets_another_draw(config):
    assert not np.array_equal(under(config, clip()), under(config, clip(name='two.avi')))


def test_a_shaken_still_scene_moves_by_the_pixels_that_are_said():
    still = clip((64, 64))
    still['imgs'] = [np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))] * 400
    shaken = under(dict(type='ShakeCamera', pixels=1.5), still).astype(float)
    places = (shaken[:, 20:40, 20:40].mean((1, 2)) - 3 * 29.5) / -3
    assert 1.1 < places.std() < 1.9
    assert 0.5 < np.corrcoef(places[1:], places[:-1])[0, 1] < 0.85


def test_light_goes_up_and_down_by_its_share_within_its_period():
    light = under(dict(type='FlickerLight', amplitude=0.2, period=4.0), clip())
    means = light.mean((1, 2, 3)) / clip()['imgs'][0].mean()
    assert np.allclose(means[:4], means[4:], atol=0.01)
    assert 0.25 < means.max() - means.min() < 0.41


def test_people_are_half_as_large_and_the_edge_goes_on():
    far = clip((40, 40))
    far['imgs'] = [np.full((40, 40), 50, np.uint8)]
    far['imgs'][0][10:30, 10:30] = 200
    seen = under(dict(type='StepBack', scale=0.5), far)[0]
    assert (seen > 125).sum() == 100 and set(np.unique(seen[0])) == {50}


def test_who_stands_still_is_noise_as_strong_as_the_light_allows():
    still = clip((16, 16))
    still['imgs'] = [np.full((16, 16), 60, np.uint8)] + [np.full((16, 16), 200, np.uint8)] * 399
    seen = under(dict(type='StandStill', electrons=1000.0), still).astype(float)
    assert len(seen) == 400 and abs(seen.mean() - 60) < 0.1
    assert 0.95 < seen.std() / (255 * np.sqrt(60 / 255 / 1000)) < 1.05


def test_who_stands_still_does_so_as_long_as_is_said():
    out = TRANSFORMS.build(dict(type='StandStill', frames=30))(clip())
    assert out['clip_len'] == len(out['imgs']) == 30
    assert np.array_equal(out['imgs'][:8], under(dict(type='StandStill'), clip()))


@pytest.mark.parametrize(
    'config',
    [
        dict(type='ShakeCamera', pixels=0),
        dict(type='ShakeCamera', memory=1.0),
        dict(type='FlickerLight', amplitude=0),
        dict(type='FlickerLight', period=0),
        dict(type='StandStill', electrons=0),
        dict(type='CompressFrames', quality=0),
        dict(type='StepBack', scale=1.0),
        dict(type='StandStill', frames=0),
    ],
)
def test_a_condition_that_is_none_is_refused(config):
    with pytest.raises(ValueError, match=config['type']):
        TRANSFORMS.build(config)


@pytest.mark.parametrize(
    'name', ['shaking', 'flickering', 'compressed', 'far', 'still', 'still_long']
)
def test_a_data_config_puts_it_behind_decoding(name):
    kinds = [part['type'] for part in load_data(f'ixmas_{name}').dataset['pipeline']]
    plain = [part['type'] for part in load_data('ixmas').dataset['pipeline']]
    place = kinds.index('ClipDecode') + 1
    assert kinds[:place] + kinds[place + 1 :] == plain
    assert kinds[place] in {config['type'] for config in KINDS}


def test_a_lower_rate_is_a_sampling():
    slow, plain = load_data('ixmas_slow'), load_data('ixmas')
    assert (slow.sampling.every, plain.sampling.every) == (3, 1)
    assert slow.dataset == plain.dataset


def test_a_pipeline_that_decodes_otherwise_is_named(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        "dataset = dict(type='X', pipeline=[dict(type='DecordDecode')])\n"
        "mean = std = [1.0]\nconditions = [dict(type='StepBack')]\n"
    )
    with pytest.raises(ValueError, match='mine: conditions stand behind ClipDecode'):
        load_data(str(path))
