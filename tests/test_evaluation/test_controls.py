"""Negative controls find what is planted for them, and nothing else."""

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from bdq_plugin.evaluation.attackers import ATTACKERS, Answer
from bdq_plugin.evaluation.controls import border, by_length, by_recognition, permuted

from .test_attackers.conftest import ACTIONS, PEOPLE


def test_permuted_names_stay_within_their_unit(make_clips) -> None:
    clips = make_clips(36)
    mixed = permuted(clips, seed=0)
    assert not torch.equal(mixed.identities, clips.identities)
    for unit in set(clips.units):
        mine = torch.tensor([each == unit for each in clips.units])
        before, after = clips.identities[mine].tolist(), mixed.identities[mine].tolist()
        assert Counter(before) == Counter(after)
    attacker = ATTACKERS.build(
        dict(type='TemplateAttacker', num_outputs=PEOPLE, families=['edges_fine', 'patterns'])
    )
    attacker.fit(mixed)
    test = make_clips(48, seed=1)
    hits = (attacker.answer(test).log_probs[:, 0].argmax(1) == test.identities.numpy()).sum()
    # 48 clips of six looks: chance 16, but clips of one look are answered alike.
    assert hits <= 34


def test_the_border_keeps_an_eighth_of_each_side(make_clips) -> None:
    ones = tuple((torch.ones(1, 3, 16, 24),) for _ in range(4))
    bare = border(replace(make_clips(4), values=ones))
    kept = bare.values[0][0][0, 0]
    assert kept[:2].all() and kept[-2:].all() and kept[:, :3].all() and kept[:, -3:].all()
    assert not kept[2:-2, 3:-3].any()


def test_length_alone_names_whoever_is_slow(make_clips) -> None:
    train, test = make_clips(36), make_clips(24, seed=1)
    planted = [
        replace(clips, lengths=40 + 20 * clips.identities + torch.arange(len(clips)) % 5)
        for clips in (train, test)
    ]
    assert (by_length(*planted, PEOPLE).argmax(1) == test.identities.numpy()).mean() > 0.95
    constant = [replace(clips, lengths=40 + 20 * clips.identities) for clips in (train, test)]
    assert (by_length(*constant, PEOPLE).argmax(1) == test.identities.numpy()).all()
    same = [replace(clips, lengths=torch.full((len(clips),), 50)) for clips in (train, test)]
    assert np.isfinite(by_length(*same, PEOPLE)).all()


class Recogniser:
    """Tells the action, and in its features who it was."""

    def fit(self, clips) -> None:
        pass

    def answer(self, clips) -> Answer:
        scores = np.log(0.1 + 0.8 * np.eye(ACTIONS)[clips.actions.numpy()])
        return Answer(scores[:, None])

    def embed(self, clips) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, 0.1, (len(clips), PEOPLE))
        return np.eye(PEOPLE)[clips.identities.numpy()] + noise


def test_what_a_recogniser_gives_away(make_clips) -> None:
    train, test = make_clips(36), make_clips(24, seed=1)
    found = by_recognition(Recogniser, train, test, PEOPLE)
    hits = {
        name: np.mean([(s.argmax(1) == test.identities.numpy()).mean() for s in scores])
        for name, scores in found.items()
    }
    assert set(found) == {'label', 'scores', 'features', 'label_stream'}
    assert len(found['label']) == len(found['label_stream']) == 2
    assert hits['features'] == 1.0 and hits['label'] < 0.6 and hits['scores'] < 0.6


class Sure(Recogniser):
    """Tells the action, and is the surer of it the higher the number of the person."""

    def answer(self, clips) -> Answer:
        sure = 0.5 + 0.45 * clips.identities.numpy() / PEOPLE
        right = np.eye(ACTIONS)[clips.actions.numpy()]
        others = (1 - sure[:, None]) / (ACTIONS - 1)
        return Answer(np.log(np.where(right, sure[:, None], others))[:, None])


def hits_of(recogniser, train, test) -> dict[str, float]:
    truth = test.identities.numpy()
    found = by_recognition(recogniser, train, test, PEOPLE)
    return {k: np.mean([(s.argmax(1) == truth).mean() for s in v]) for k, v in found.items()}


def with_both_actions(clips, lengths):
    """Clips whose units hold both actions."""
    units = (torch.arange(len(clips)) // (PEOPLE * ACTIONS) % 2).tolist()
    return replace(clips, units=tuple(map(str, units)), lengths=lengths)


def test_a_stream_of_labels_gives_away_who_is_slow_at_what(make_clips) -> None:
    train, test = make_clips(72), make_clips(48, seed=1)
    # Who is slow at one action is quick at the other: over all clips everybody takes as long.
    turned = [
        with_both_actions(
            clips, 60 + 20 * (clips.identities - 1) * (1 - 2 * clips.actions) + torch.arange(n) % 4
        )
        for clips, n in ((train, 72), (test, 48))
    ]
    found = hits_of(Recogniser, *turned)
    assert found['label_stream'] > 0.9 and found['label'] < 0.6
    assert (by_length(*turned, PEOPLE).argmax(1) == test.identities.numpy()).mean() < 0.75


def test_a_stream_of_labels_gives_away_of_whom_the_network_is_sure(make_clips) -> None:
    train, test = (
        with_both_actions(clips, clips.lengths)
        for clips in (make_clips(72), make_clips(48, seed=1))
    )
    assert hits_of(Recogniser, train, test)['label_stream'] < 0.6
    found = hits_of(Sure, train, test)
    assert found['label_stream'] > 0.9 and found['label'] < 0.6
