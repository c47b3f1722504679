"""The classical attacker finds people who are planted, and nobody where nobody is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdq_plugin.evaluation.attackers import ATTACKERS, Attacker
from bdq_plugin.evaluation.attackers.discriminant import learn
from bdq_plugin.evaluation.statistics import person_interval

from .test_attackers.conftest import PEOPLE

FEW = ['edges_fine', 'patterns', 'levels']


def build(**options) -> Attacker:
    return ATTACKERS.build(
        {**dict(type='TemplateAttacker', num_outputs=PEOPLE, families=FEW), **options}
    )


def hits(attacker: Attacker, clips) -> np.ndarray:
    return attacker.answer(clips).log_probs[:, 0].argmax(1) == clips.identities.numpy()


def test_recognises_people_by_all_families(make_clips) -> None:
    train, test = make_clips(36), make_clips(24, seed=1)
    attacker = build(families=None, components=20)
    attacker.check(train)
    fit = attacker.fit(train)
    assert fit.train_accuracy > 0.9 and len(fit.notes['weight']) == 12
    assert (fit.held_out.argmax(1) == train.identities.numpy()).mean() > 0.9
    answer = attacker.answer(test).log_probs
    assert answer.shape == (24, 2, PEOPLE)
    np.testing.assert_allclose(np.exp(answer).sum(2), 1)
    assert hits(attacker, test).mean() > 0.9


def test_stays_at_chance_where_nothing_names_anyone(make_clips) -> None:
    def renamed(clips):
        order = torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))
        return replace(clips, identities=clips.identities[order])

    attacker = build()
    attacker.fit(renamed(make_clips(36, leak=False)))
    # 48 clips, chance 16 and a deviation of 3.3.
    assert 5 <= hits(attacker, renamed(make_clips(48, seed=1, leak=False))).sum() <= 27


def test_an_encoder_that_outputs_nothing_gives_chance(make_clips) -> None:
    train, test = (
        replace(clips, values=tuple(tuple(torch.zeros_like(x) for x in v) for v in clips.values))
        for clips in (make_clips(36), make_clips(24, seed=1))
    )
    # Whole clips differ in length, but zeros of any length look alike.
    attacker = build(families=None)
    fit = attacker.fit(train)
    assert np.isfinite(fit.held_out).all()
    right = hits(attacker, test)
    assert right.mean() == pytest.approx(1 / PEOPLE)
    interval = person_interval(right, test.persons, test.groups)
    assert interval.low <= 1 / PEOPLE <= interval.high


@pytest.mark.parametrize('count', [1, 2])
def test_attributes(make_clips, count: int) -> None:
    def with_attributes(clips):
        first = clips.identities == 0
        return replace(clips, identities=torch.stack([first, ~first][:count], 1).float())

    train, test = with_attributes(make_clips(36)), with_attributes(make_clips(24, seed=1))
    attacker = build(num_outputs=count, multi_label=True)
    attacker.fit(train)
    odds = attacker.answer(test).log_probs[:, 0]
    assert odds.shape == (24, count)
    assert ((odds > 0) == (test.identities.numpy() > 0.5)).mean() > 0.9


def test_what_cannot_be_learned_is_said_before(make_clips) -> None:
    clips = make_clips(12)
    with pytest.raises(ValueError, match='no family of features looks: choose from edges_fine'):
        build(families=['looks']).check(clips)
    with pytest.raises(ValueError, match='all training clips are of one unit'):
        build().check(replace(clips, units=('a',) * 12))
    with pytest.raises(ValueError, match='shrinkages must lie in 0 to 1'):
        build(shrinkages=[2])


def test_a_feature_that_hardly_varied_in_training_does_not_outvote_the_others() -> None:
    generator = np.random.default_rng(0)
    truth = np.arange(60) % PEOPLE
    x_NVD = generator.normal(size=(60, 1, 8)) + 3 * np.eye(8)[truth][:, None]
    x_NVD[:, :, 7] = 1e-6 * generator.normal(size=(60, 1))
    [model] = learn(x_NVD, truth, [0.3], components=8, seed=0, num_outputs=PEOPLE)
    usual = model(x_NVD)
    assert (usual.argmax(1) == truth).mean() > 0.9
    x_NVD[:, :, 7] = 1.0
    assert np.abs(model(x_NVD) - usual).max() < 20, 'a million deviations are none'
