"""What all networks have in common, and the panel of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bdq_plugin.evaluation.attackers import ATTACKERS, Attacker, FrameAttacker
from bdq_plugin.evaluation.clips import Clips

from .conftest import ACTIONS, FRAMES, PEOPLE, RECIPE, SIZE

CLIP = dict(type='SmallConv3d', in_channels=1, channels=(8, 16), strides=(2, 2))
PANEL = dict(
    frame=dict(type='FrameAttacker', backbone=FRAMES, frames_per_step=4),
    probe=dict(type='LinearProbe', grid=(16, 12), frames_per_step=4, recipe=dict(RECIPE, lr=0.02)),
    clip=dict(type='ClipAttacker', backbone=CLIP, clip_len=4, windows=2),
    recurrent=dict(type='RecurrentAttacker', backbone=FRAMES, num_frames=3, hidden=8),
    transformer=dict(type='TransformerAttacker', backbone=FRAMES, num_frames=3, layers=1),
    texture=dict(type='TextureAttacker', backbone=FRAMES, num_frames=4),
)
# Stripes that move have no mean picture: a linear probe cannot tell them, whoever trains it.
LEARNERS = [name for name in PANEL if name != 'probe']


def build(name: str, **options: Any) -> Attacker:
    config = dict(num_outputs=PEOPLE, recipe=RECIPE)
    return ATTACKERS.build({**config, **PANEL[name], **options})


def right(attacker: Attacker, clips: Clips) -> np.ndarray:
    truth = clips.target(attacker.target).numpy()
    return attacker.answer(clips).log_probs[:, 0].argmax(1) == truth


@pytest.mark.parametrize('name', LEARNERS)
def test_recognises_people_by_the_texture_of_what_moves(name: str, make_clips: Callable) -> None:
    train, test = make_clips(36), make_clips(seed=1)
    attacker = build(name)
    attacker.check(train)
    fit = attacker.fit(train)
    assert fit.converged and fit.train_accuracy >= 0.9
    assert right(attacker, test).mean() >= 0.9


@pytest.mark.parametrize('name', PANEL)
def test_stays_at_chance_where_nothing_names_anyone(name: str, make_clips: Callable) -> None:
    attacker = build(name, recipe=dict(RECIPE, max_epochs=8))
    attacker.fit(make_clips(leak=False))
    # 48 clips, chance 16 and a deviation of 3.3.
    assert 5 <= right(attacker, make_clips(48, seed=1, leak=False)).sum() <= 27


@pytest.mark.parametrize('name', PANEL)
def test_answers_log_probabilities_for_each_encoding(name: str, make_clips: Callable) -> None:
    clips = make_clips(6)
    attacker = build(name, recipe=dict(RECIPE, first_round=1, max_epochs=1))
    fit = attacker.fit(clips)
    assert (fit.epochs, fit.converged) == (1, fit.train_accuracy >= 0.9)
    answer = attacker.answer(clips)
    assert answer.log_probs.shape == (6, 2, PEOPLE)
    assert np.exp(answer.log_probs).sum(-1) == pytest.approx(1)
    assert (answer.log_probs[:, 0] != answer.log_probs[:, 1]).any()
    if name in ('frame', 'probe'):
        assert answer.frame_hits.shape == (6,)
        assert ((answer.frame_hits >= 0) & (answer.frame_hits <= 1)).all()
    else:
        assert answer.frame_hits is None


def test_a_linear_probe_recognises_people_by_where_they_are(make_clips: Callable) -> None:
    def placed(clips: Clips) -> Clips:
        def mark(x: torch.Tensor, person: int) -> torch.Tensor:
            x = x.clone()
            x[..., 4 * person : 4 * person + 4, :] += 1
            return x

        people = clips.identities.tolist()
        pairs = zip(clips.values, people, strict=True)
        return replace(clips, values=tuple(tuple(mark(x, k) for x in xs) for xs, k in pairs))

    attacker = build('probe')
    attacker.fit(placed(make_clips(leak=False)))
    assert right(attacker, placed(make_clips(seed=1, leak=False))).mean() >= 0.9


@pytest.mark.parametrize('name', ['frame', 'clip', 'transformer'])
def test_the_same_seed_gives_the_same_answer_bit_for_bit(name: str, make_clips: Callable) -> None:
    clips = make_clips(12)

    def log_probs(seed: int) -> np.ndarray:
        # Whatever was drawn before must not matter, and what is drawn after must not change.
        torch.rand(seed + 1)
        attacker = build(name, seed=seed, recipe=dict(RECIPE, first_round=2, max_epochs=2))
        attacker.check(clips)
        state = torch.get_rng_state()
        attacker.fit(clips)
        assert torch.equal(torch.get_rng_state(), state)
        return attacker.answer(clips).log_probs

    first, again, other = log_probs(3), log_probs(3), log_probs(4)
    assert (first == again).all()
    assert (first != other).any()


def test_an_encoder_that_outputs_nothing_gives_chance(make_clips: Callable) -> None:
    clips = make_clips()
    clips = replace(clips, values=tuple((torch.zeros_like(x[0]),) for x in clips.values))
    attacker = build('frame')
    fit = attacker.fit(clips)
    # A second round changes nothing: that is all there is to learn.
    assert fit.converged and fit.epochs == 8 + 16
    assert right(attacker, clips).mean() == pytest.approx(1 / PEOPLE)


def test_an_attacker_that_is_stopped_early_says_so(make_clips: Callable) -> None:
    fit = build('frame', recipe=dict(RECIPE, first_round=1, max_epochs=1, lr=1e-5)).fit(
        make_clips()
    )
    assert not fit.converged and fit.epochs == 1


def test_the_network_for_the_action(make_clips: Callable) -> None:
    attacker = build('clip', target='action', num_outputs=ACTIONS)
    attacker.fit(make_clips(36, leak=False))
    assert right(attacker, make_clips(seed=1, leak=False)).mean() >= 0.9


@pytest.mark.parametrize('name', ['frame', 'texture'])
def test_attributes_get_log_odds(name: str, make_clips: Callable) -> None:
    def attributes(clips: Clips) -> Clips:
        people = clips.identities
        return replace(clips, identities=torch.stack([people == 0, people > 0], 1).float())

    attacker = build(name, num_outputs=2, multi_label=True)
    fit = attacker.fit(attributes(make_clips(36)))
    assert fit.train_accuracy >= 0.9
    test = attributes(make_clips(seed=1))
    answer = attacker.answer(test)
    assert answer.frame_hits is None
    assert ((answer.log_probs[:, 0] > 0) == test.identities.numpy().astype(bool)).mean() >= 0.9


@pytest.mark.parametrize('name', PANEL)
@pytest.mark.parametrize('total', [1, 3, 6, 90])
def test_views_are_frames_of_the_clip(name: str, total: int) -> None:
    attacker = build(name)
    drawn, views = attacker.draw(total), attacker.views(total)
    assert drawn.shape[1] == views.shape[1]
    assert attacker.draw(2 * total).shape == drawn.shape
    for index in (drawn, views):
        assert index.dtype == torch.long and index.min() >= 0 and index.max() < total


def test_which_views_are_looked_at() -> None:
    assert build('frame').views(4)[:, 0].tolist() == [0, 1, 2, 3]
    assert build('frame', max_frames=3).views(15)[:, 0].tolist() == [2, 7, 12]
    assert build('clip').views(10).tolist() == [[0, 1, 2, 3], [6, 7, 8, 9]]
    # A clip that is shorter than a window is repeated.
    assert build('clip').views(3).tolist() == [[0, 1, 2, 0]]
    assert build('recurrent', num_views=1).views(15).tolist() == [[2, 7, 12]]
    for _ in range(20):
        first, second, third = build('recurrent').draw(15)[0].tolist()
        assert 0 <= first < 5 <= second < 10 <= third < 15
        window = build('clip').draw(10)[0]
        assert (window.diff() == 1).all()


def test_scale_averages_frames_down(make_clips: Callable) -> None:
    clips = make_clips(4)
    seen = []

    @ATTACKERS.register_module(force=True)
    class SizeAttacker(FrameAttacker):
        def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
            seen.append(size)
            return super().build(channels, size)

    attacker = SizeAttacker(backbone=FRAMES, num_outputs=PEOPLE, scale=0.5, recipe=RECIPE)
    attacker.check(clips)
    assert seen == [(SIZE[0] // 2, SIZE[1] // 2)]
    scaled = attacker._scaled(clips)[0][0]
    by_hand = nn.functional.avg_pool2d(clips.values[0][0].float(), 2)
    assert torch.allclose(scaled.float(), by_hand, atol=1e-3)
    blocks = tuple(tuple(x[..., :6, :8] for x in encodings) for encodings in clips.values)
    coarse = replace(clips, values=blocks)
    attacker.check(coarse)
    assert seen[1] == (24, 32)
    enlarged = attacker._scaled(coarse)[0][0]
    assert torch.equal(enlarged, blocks[0][0].repeat_interleave(4, -1).repeat_interleave(4, -2))
    plain = SizeAttacker(
        backbone=FRAMES, num_outputs=PEOPLE, scale=0.5, enlarge=False, recipe=RECIPE
    )
    plain.check(coarse)
    assert seen[2] == (6, 8)


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('frame', dict(colour='red'), 'colour'),
        ('frame', dict(target='age'), "unknown target 'age'"),
        ('frame', dict(recipe=dict(epochs=1)), 'unknown epochs'),
        ('frame', dict(scale=2), 'scale'),
        ('frame', dict(frames_per_step=0), 'frames_per_step must be 1 or more'),
        ('clip', dict(clip_len=0), 'clip_len must be 1 or more'),
        ('recurrent', dict(num_frames=0), 'num_frames must be 1 or more'),
        ('probe', dict(grid=(0, 4)), 'grid_rows must be 1 or more'),
        ('frame', dict(dropout=0.5, backbone=None, side=3), 'side'),
    ],
)
def test_a_config_that_means_nothing_is_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        build(name, **options)


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('frame', dict(backbone=dict(FRAMES, in_channels=3)), 'cannot read clips of 1 channels'),
        ('frame', dict(backbone=dict(type='Nobody')), 'Nobody'),
        ('transformer', dict(heads=5), 'TransformerAttacker cannot read'),
    ],
)
def test_clips_that_a_network_cannot_read_are_refused_before_training(
    name: str, options: dict, message: str, make_clips: Callable
) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, **options).check(make_clips(4))


def test_logits_of_another_form_are_refused(make_clips: Callable) -> None:
    @ATTACKERS.register_module(force=True)
    class FlatAttacker(FrameAttacker):
        def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
            return nn.Flatten()

    with pytest.raises(ValueError, match=r'must give logits \(M, 1, 3\), got \(1, 192\)'):
        FlatAttacker(num_outputs=PEOPLE, backbone=FRAMES).check(make_clips(2))
