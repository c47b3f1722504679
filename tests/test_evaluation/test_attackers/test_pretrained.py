from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import mobilenet_v2, resnet18

from bdq_plugin.evaluation.attackers import ImageNetTemplateAttacker, PretrainedAttacker
from bdq_plugin.evaluation.attackers.pretrained import mobilenet_v2_weights
from bdq_plugin.evaluation.attackers.training import seeded

from .conftest import PEOPLE


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of MobileNetV2's weights, not those of ImageNet."""
    path = tmp_path / 'mobilenet_v2.pth'
    with seeded(0):
        torch.save(mobilenet_v2().state_dict(), path)
    return path


@pytest.mark.parametrize('kind', [PretrainedAttacker, ImageNetTemplateAttacker])
def test_without_a_file_it_is_left_out(kind: type) -> None:
    assert 'no file of pretrained weights' in kind.missing(dict(weights=None))
    assert kind.missing(dict(weights='some.pth')) is None
    with pytest.raises(ValueError, match='no file of pretrained weights'):
        kind(num_outputs=PEOPLE)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        kind(num_outputs=PEOPLE, weights='none.pth')


def test_a_file_of_other_names_in_the_same_order_is_read(weights: Path) -> None:
    state = torch.load(weights)
    other = weights.with_name('other.pth')
    torch.save(
        {
            f'net.{i}.{k.rpartition(".")[2]}': v
            for i, (k, v) in enumerate(state.items())
            if k.startswith('features')
        },
        other,
    )
    for path in (weights, other):
        read = mobilenet_v2_weights(path)
        assert all(torch.equal(read[k], state[f'features.{k}']) for k in read)
        assert len(read) == len(state) - 2


def test_weights_of_another_architecture_are_refused_before_training(tmp_path: Path) -> None:
    path = tmp_path / 'resnet18.pth'
    torch.save(resnet18().state_dict(), path)
    with pytest.raises(ValueError, match='resnet18.pth does not hold the weights of MobileNetV2'):
        PretrainedAttacker(num_outputs=PEOPLE, weights=str(path))
    with pytest.raises(ValueError, match='not hold'):
        torch.save(mobilenet_v2(width_mult=0.5).state_dict(), path)
        PretrainedAttacker(num_outputs=PEOPLE, weights=str(path))


def test_it_begins_with_the_weights_and_goes_on_from_there(
    weights: Path, make_clips: Callable
) -> None:
    clips = make_clips(6)
    attacker = PretrainedAttacker(
        num_outputs=PEOPLE,
        weights=str(weights),
        side=32,
        frames_per_step=2,
        max_frames=2,
        recipe=dict(first_round=2, max_epochs=2, batch_size=6),
    )
    attacker.check(clips)
    first = torch.load(weights)['features.0.0.weight']
    backbone = attacker.features(1, clips.size)[0][2]
    assert torch.equal(backbone[0][0].weight, first)
    attacker.fit(clips)
    moved = (attacker.network.features[2][0][0].weight - first).abs().max()
    # Two steps of AdamW at a rate of 0.001 at most; weights drawn anew would be far off.
    assert 0 < moved < 0.01
    assert torch.equal(attacker.features(1, clips.size)[0][2][0][0].weight, first)
    assert attacker.answer(clips).log_probs.shape == (6, 2, PEOPLE)


@pytest.mark.parametrize(('leak', 'least', 'most'), [(True, 0.9, 1), (False, 0, 0.6)])
def test_features_of_a_network_that_is_not_trained_tell_people(
    weights: Path, make_clips: Callable, leak: bool, least: float, most: float
) -> None:
    attacker = ImageNetTemplateAttacker(
        num_outputs=PEOPLE, weights=str(weights), side=16, max_frames=2
    )
    train, test = make_clips(24, leak=leak), make_clips(24, seed=1, leak=leak)
    attacker.check(train)
    fit = attacker.fit(train)
    assert list(fit.notes['weight']) == ['layer_6', 'layer_10', 'layer_13', 'layer_17', 'layer_18']
    named = attacker.answer(test).log_probs[:, 0].argmax(1) == test.identities.numpy()
    assert least <= named.mean() <= most


def test_grey_is_seen_as_three_equal_colours(weights: Path, make_clips: Callable) -> None:
    grey = make_clips(1).values[0][0]
    attacker = ImageNetTemplateAttacker(num_outputs=PEOPLE, weights=str(weights), side=32)
    for clip in (grey.expand(3, -1, -1, -1), 2 * grey):
        seen = attacker.describe_one(clip, 2.0 if len(clip) == 1 else 1.0)
        for name, expected in attacker.describe_one(grey, 1.0).items():
            torch.testing.assert_close(seen[name], expected)


def test_codes_of_two_channels_are_refused_before_training(
    weights: Path, make_clips: Callable
) -> None:
    clips = make_clips(6)
    two = tuple(tuple(x.expand(2, -1, -1, -1) for x in each) for each in clips.values)
    attacker = ImageNetTemplateAttacker(num_outputs=PEOPLE, weights=str(weights), side=32)
    with pytest.raises(ValueError, match='reads 1 or 3 channels, got 2'):
        attacker.check(replace(clips, values=two))
