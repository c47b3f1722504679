from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bdq_plugin.evaluation.attackers import ATTACKERS, Attacker, build_attacker, build_panel
from bdq_plugin.evaluation.figures import answers, describe, headline
from bdq_plugin.evaluation.training import seed_everything

from .conftest import FRAMES, PEOPLE, RECIPE

SHAPE = (1, 4, 12, 8)
CLIP = dict(type='SmallConv3d', in_channels=1, channels=(8, 8), strides=(2, 2))
PANEL = dict(
    frame=dict(type='FrameAttacker', backbone=FRAMES, recipe=RECIPE),
    probe=dict(type='LinearProbe', grid=(4, 3), recipe=RECIPE),
    frozen=dict(type='LinearProbe', backbone=FRAMES, recipe=RECIPE),
    clip=dict(type='ClipAttacker', backbone=CLIP, recipe=RECIPE),
    recurrent=dict(type='RecurrentAttacker', backbone=FRAMES, num_frames=3, recipe=RECIPE),
    transformer=dict(
        type='TransformerAttacker', backbone=FRAMES, num_frames=3, layers=1, recipe=RECIPE
    ),
)
# The frozen probe sees random features, the others learn theirs.
LEARNERS = [name for name in PANEL if name != 'frozen']


def build(name: str) -> Attacker:
    seed_everything(0, name)
    return build_attacker(name, PANEL[name], dict(identity=PEOPLE, action=2), SHAPE)


@pytest.mark.parametrize('name', PANEL)
def test_answers_for_frames_or_for_the_clip(name: str) -> None:
    logits = build(name).eval()(torch.rand(5, *SHAPE))
    frames = 4 if name in ('frame', 'probe', 'frozen') else 1
    assert logits.shape == (5, frames, PEOPLE)


@pytest.mark.parametrize('name', LEARNERS)
def test_finds_people_whose_clips_give_them_away(name: str, make_clips) -> None:
    train, test = make_clips(48), make_clips(seed=1)
    attack = build(name).attack(train, test)
    figures = describe(attack, train.identities.numpy(), test.identities.numpy(), test.groups, 0.9)
    assert figures['learned'] and figures['above_chance']
    assert figures[figures['figure']] >= 0.95
    assert attack.test.sum(2) == pytest.approx(1, abs=1e-5)


def test_is_not_above_chance_on_random_names(make_clips) -> None:
    train, test = make_clips(), make_clips(seed=1)
    names = torch.from_numpy(np.random.default_rng(0).integers(PEOPLE, size=24))
    train, test = (replace(c, identities=names.roll(k)) for c, k in ((train, 0), (test, 7)))
    attack = build('clip').attack(train, test)
    figures = describe(attack, names.numpy(), names.roll(7).numpy(), test.groups, 0.9)
    assert not figures['above_chance']


def test_a_constant_encoder_gives_chance_and_nothing_is_learned(make_clips) -> None:
    train, test = make_clips(), make_clips(seed=1)
    train, test = (replace(c, values=torch.zeros_like(c.values)) for c in (train, test))
    attack = build('frame').attack(train, test)
    figures = describe(attack, train.identities.numpy(), test.identities.numpy(), test.groups, 0.9)
    assert figures['vote_top1'] == figures['chance'] == pytest.approx(1 / PEOPLE, abs=1e-6)
    assert not figures['learned'] and not figures['above_chance']
    head = headline({'frame': figures})
    assert not head['evidence_of_privacy']
    assert head['text'].endswith('no attacker learned: no evidence of privacy')


def test_the_headline_is_the_maximum_even_of_a_weak_attacker() -> None:
    interval = dict(low=0.0, high=1.0, method='m')
    common = dict(interval=interval, chance=0.1, majority=0.1, above_chance=True)
    records = dict(
        strong=dict(common, figure='clip_top1', clip_top1=0.2, learned=True),
        weak=dict(common, figure='vote_top1', vote_top1=0.4, frame_top1=0.9, learned=False),
    )
    head = headline(records)
    assert (head['network'], head['value'], head['learned']) == ('weak', 0.4, ['strong'])
    assert 'errs upwards' in head['caveat']


def test_the_action_network_is_trained_on_actions(make_clips) -> None:
    config = dict(PANEL['clip'], target='action')
    seed_everything(0, 'action')
    network = build_attacker('action', config, dict(identity=PEOPLE, action=2), SHAPE)
    test = make_clips(seed=1, leak=False)
    attack = network.attack(make_clips(leak=False), test)
    assert (attack.test.mean(1).argmax(1) == test.actions.numpy()).mean() >= 0.95


def test_attributes_are_scored_by_cmap(make_clips) -> None:
    train, test = (
        replace(c, identities=torch.stack([c.identities == 0, c.identities > 0], 1).float())
        for c in (make_clips(48), make_clips(seed=1))
    )
    seed_everything(0, 'attributes')
    network = build_attacker('frame', PANEL['frame'], dict(identity=2, action=2), SHAPE)
    attack = network.attack(train, test)
    truths = train.identities.numpy(), test.identities.numpy()
    figures = describe(attack, *truths, test.groups, 0.9)
    assert figures['figure'] == 'cmap' and figures['cmap'] >= 0.95
    assert figures['chance'] == pytest.approx(0.5)
    assert 'bootstrap' in figures['interval']['method']
    assert np.shape(answers(attack, truths[1])['scores']) == (24, 2)


def test_frames_are_chosen_in_order_and_from_all_of_the_clip() -> None:
    attacker = build('recurrent')
    assert attacker.eval().choose(15).tolist() == [2, 7, 12]
    attacker.train()
    for _ in range(20):
        first, second, third = attacker.choose(15).tolist()
        assert 0 <= first < 5 <= second < 10 <= third < 15


def test_a_frozen_backbone_does_not_move(make_clips) -> None:
    attacker = build('frozen')
    before = {k: v.clone() for k, v in attacker.backbone.state_dict().items()}
    attacker.attack(make_clips(), make_clips(seed=1))
    after = attacker.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(PANEL['frame'], backbone=dict(FRAMES, in_channels=3)), r'cannot attack clips'),
        (dict(type='Nobody'), 'Nobody'),
        (dict(PANEL['frame'], colour='red'), 'colour'),
        (dict(PANEL['frame'], target='age'), "unknown target 'age'"),
        (dict(PANEL['frame'], recipe=dict(epoch=1)), 'unknown epoch'),
    ],
)
def test_a_panel_that_does_not_fit_is_named(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build_attacker('mine', config, dict(identity=PEOPLE, action=2), SHAPE)
    assert "'mine'" in str(error.value)


def test_start_from_names_an_earlier_network_with_the_same_backbone() -> None:
    def check(**networks: dict) -> None:
        build_panel(networks, dict(identity=PEOPLE, action=2), SHAPE)

    warm = dict(PANEL['recurrent'], start_from='frame')
    check(frame=PANEL['frame'], mine=warm)
    with pytest.raises(ValueError, match='no earlier network'):
        check(mine=warm, frame=PANEL['frame'])
    with pytest.raises(ValueError, match='no earlier network'):
        check(frame=warm)
    with pytest.raises(ValueError, match='another backbone'):
        check(frame=PANEL['clip'], mine=warm)


def test_a_new_attacker_is_one_class_and_one_line(make_clips) -> None:
    @ATTACKERS.register_module(force=True)
    class MeanAttacker(Attacker):
        def __init__(self, **kwargs) -> None:
            super().__init__(**kwargs)
            self.head = nn.Linear(1, self.num_outputs)

        def forward(self, x_NCTHW: torch.Tensor) -> torch.Tensor:
            return self.head(x_NCTHW.mean((2, 3, 4))).unsqueeze(1)

    config = dict(type='MeanAttacker', recipe=dict(RECIPE, epochs=60))
    network = build_attacker('mean', config, dict(identity=PEOPLE, action=2), SHAPE)
    test = make_clips(seed=1)
    attack = network.attack(make_clips(48), test)
    assert (attack.test[:, 0].argmax(1) == test.identities.numpy()).mean() > 0.6


def test_logits_of_another_form_are_refused() -> None:
    @ATTACKERS.register_module(force=True)
    class FlatAttacker(Attacker):
        def forward(self, x_NCTHW: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x_NCTHW), self.num_outputs)

    with pytest.raises(ValueError, match=r'must give logits \(N, T, 3\)'):
        build_attacker('flat', dict(type='FlatAttacker'), dict(identity=3), SHAPE)
