"""The search of an encoder's numbers: by its parts, and as a user calls it."""

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdq_plugin.encoders import build_encoder, load_encoder
from bdq_plugin.evaluation.clips import Clips
from bdq_plugin.evaluation.encodings import encode
from bdq_plugin.evaluation.search import (
    Judgement,
    Space,
    beats,
    choose,
    front,
    judge,
    leaked_bits,
    load_space,
    nested,
)
from bdq_plugin.evaluation.settings import Data

from ..audit_data import audit_data
from ..game import REPOSITORY

TEMPLATE = dict(type='TemplateAttacker', families=['energy', 'edges_half'])
PANEL = dict(
    action=dict(TEMPLATE, target='action'),
    template=TEMPLATE,
    frame=dict(
        type='FrameAttacker',
        backbone=dict(type='SmallConv2d', channels=(8, 16), strides=(2, 2)),
        recipe=dict(first_round=4, max_epochs=4, batch_size=8, lr=0.01),
    ),
)
AXES = {'dead_zone': dict(low=0.01, high=0.9, log=True), 'num_levels': dict(choices=[2, 3])}
SPACE = Space('tiny', 'blocks', {'block': dict(choices=[1, 2]), **AXES}, (), PANEL, encodings=2)
SMALL = {'block': dict(choices=[2, 4]), **AXES}
DATA = Data('made', {}, (0.0,), (255.0,))


def test_a_code_that_tells_nothing_is_judged_so(make_clips: Callable[..., Clips]) -> None:
    clips = make_clips(48)
    clips = replace(
        clips,
        clear=tuple(each[:1] for each in clips.clear),
        # Every unit holds both actions.
        units=tuple(str(n // 6 % 2) for n in range(48)),
    )
    telling = judge(build_encoder('d'), clips, DATA, SPACE)
    silent = judge(build_encoder('blocks', block=2, dead_zone=0.99), clips, DATA, SPACE)
    assert telling.identity > 0.9 and telling.action > 0.9
    assert telling.bits > 1 and silent.bits < 0.05
    assert silent.identity <= 0.5 and silent.action <= 0.6
    assert telling.members.keys() == PANEL.keys()
    assert judge(build_encoder('d'), clips, DATA, SPACE) == telling


def test_the_shipped_space_starts_from_the_presets() -> None:
    space = load_space('blocks')
    presets = [build_encoder(name) for name in ('blocks', 'blocks_noise')]
    for values, preset in zip(space.start, presets, strict=False):
        encoder = space.build(values)
        assert encoder.config['block'] == preset.config['block']
        assert encoder.dither == preset.dither
    moved = space.build(space.start[3])
    assert moved.geometry == build_encoder('blocks_noise_geometry').geometry
    ends = [values['geometric_dither.warp'] for values in space.corners()]
    assert {0.0, 0.1} <= set(ends)


def test_a_rate_is_not_the_encoders(make_clips: Callable[..., Clips]) -> None:
    space = load_space('rates')
    values = space.start[0]
    assert values['sampling.every'] == 8 and space.least_action > 0
    sampled = space.sampled(DATA, values)
    assert (sampled.sampling.every, sampled.sampling.encodings) == (8, space.encodings)
    assert space.build(values).flip == values['flip']
    clips = make_clips(24)
    often, seldom = (
        encode(clips, build_encoder('d'), space.sampled(DATA, {'sampling.every': every}).sampling,
               DATA.mean, DATA.std, training=True)
        for every in (1, 2)
    )  # fmt: skip
    assert often.shortest > seldom.shortest


@pytest.mark.parametrize(
    'limits',
    [dict(low=2, high=8), dict(choices=[2, 4.5]), dict(choices=[0, 4]), dict(choices='34')],
)
def test_a_rate_is_a_whole_number(limits: dict) -> None:
    with pytest.raises(ValueError, match=r"'sampling\.every' needs choices: whole numbers from 1"):
        replace(SPACE, axes={'sampling.every': limits})


def test_who_need_not_be_asked_is_not(make_clips: Callable[..., Clips]) -> None:
    clips = make_clips(48)
    clips = replace(clips, units=tuple(str(n // 6 % 2) for n in range(48)))
    seen: list[Judgement] = []

    def asked(number: int) -> Judgement:
        seen.clear()
        return judge(
            build_encoder('d'), clips, DATA, SPACE,
            enough=lambda found: seen.append(found) or len(seen) == number,
        )  # fmt: skip

    nobody, one = asked(1), asked(2)
    assert list(nobody.members) == ['action'] and list(one.members) == ['action', 'template']
    assert nobody.identity == 1 and nobody.bits == pytest.approx(np.log2(3))
    everyone = asked(0)
    # Further attackers find no less, so that what one finds is enough to be beaten.
    assert everyone.bits >= one.bits - 0.01 and everyone.action == one.action
    assert everyone.members.keys() == SPACE.panel.keys()


def test_bits() -> None:
    even, truth = np.log(np.full((6, 4), 0.25)), np.arange(6) % 4
    assert leaked_bits(even, truth) == 0
    sure = np.log(np.where(np.eye(4)[truth] > 0, 0.97, 0.01))
    assert leaked_bits(sure, truth) == pytest.approx(2 + np.log2(0.97))
    assert leaked_bits(sure, (truth + 1) % 4) == 0


@pytest.mark.parametrize(
    ('action', 'bits', 'beaten'),
    [
        (0.8, 0.3, True),
        (0.9, 0.3, True),
        (0.8, 0.2, True),
        (0.95, 0.3, False),
        (0.8, 0.1, False),
        # As good as the other: both stand.
        (0.9, 0.2, False),
    ],
)
def test_what_another_trial_beats(action: float, bits: float, beaten: bool) -> None:
    other = dict(action=0.9, bits=0.2)
    assert beats(other, Judgement(action, 0.5, bits, {})) is beaten


def test_front_and_choice() -> None:
    points = [(0.9, 0.5), (0.8, 0.2), (0.7, 0.3), (0.6, 0.1)]
    trials = [
        dict(number=n, values={}, action=action, bits=bits)
        for n, (action, bits) in enumerate(points)
    ]
    assert [trial['number'] for trial in front(trials)] == [3, 1, 0]
    assert choose(trials, 0.65)['number'] == 1
    assert choose(trials, 0.85)['number'] == 0
    with pytest.raises(ValueError, match='no trial tells 95.0% of the actions: 90.0% at most'):
        choose(trials, 0.95)


def test_names_with_dots_are_parts() -> None:
    assert nested({'a.b': 1, 'a.c': False, 'd': 2.0}) == {'a': {'b': 1, 'c': False}, 'd': 2.0}


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(axes={'block': dict(low=1)}), "axis 'block' has"),
        (dict(axes={'dither': dict(low=1.0, high=0.5)}), "axis 'dither': low is not below high"),
        (dict(start=({'block': 1},)), 'a start names each axis once'),
        (dict(panel=dict(template=TEMPLATE)), 'needs members for each of'),
    ],
)
def test_a_wrong_space_is_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPACE, **wrong)


class TestCommand:
    @pytest.fixture
    def run(self, synthetic_kth, tmp_path: Path) -> Callable[..., None]:
        pytest.importorskip('optuna')
        (tmp_path / 'tiny_kth.py').write_text(audit_data(synthetic_kth))
        main = runpy.run_path(str(REPOSITORY / 'tools' / 'search_encoder.py'))['main']

        def run(*options: str, axes: dict = AXES, panel: dict = PANEL, more: str = '') -> None:
            small = {name: panel[name] for name in ('action', 'template')}
            space = tmp_path / 'tiny.py'
            space.write_text(f"encoder = 'blocks'\nspace = {axes!r}\npanel = {small!r}\n{more}")
            places = ['--results', str(tmp_path / 'found'), '--work-dir', str(tmp_path / 'work')]
            data = ['--data', str(tmp_path / 'tiny_kth.py'), '--protocol', 'subsequence']
            main([str(space), *data, '--fold', '1', *places, *options])

        return run

    def test_from_a_space_to_an_encoder(self, run, tmp_path: Path, capsys) -> None:
        run('--trials', '2', axes=SMALL)
        run('--trials', '3', '--least-action', '0', '--out', str(tmp_path / 'hide.json'),
            axes=SMALL)  # fmt: skip
        # The two of the first call are not tried again.
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('trial ')]
        assert len(lines) == 3
        (path,) = (tmp_path / 'found').rglob('*.json')
        trials = json.loads(path.read_text())['trials']
        assert [trial['number'] for trial in trials] == [0, 1, 2]
        best = choose(trials, 0.0)
        encoder = load_encoder(tmp_path / 'hide.json')
        assert encoder.config['block'] == best['values']['block']
        assert encoder.config['dead_zone'] == pytest.approx(best['values']['dead_zone'])

    def test_who_hides_the_action_is_not_asked_about_people(self, run, tmp_path: Path) -> None:
        silent = {'block': 2, 'dead_zone': 0.9, 'num_levels': 3}
        run('--trials', '1', axes=SMALL, more=f'least_action = 1.0\nstart = [{silent!r}]\n')
        (path,) = (tmp_path / 'found').rglob('*.json')
        found = json.loads(path.read_text())
        assert found['space']['least_action'] == 1.0
        first = found['trials'][0]
        # A code that stands still tells no action, and nobody is asked for the person.
        assert first['values'] == silent and list(first['members']) == ['action']
        assert first['identity'] == 1 and first['bits'] > 1

    def test_who_tells_the_action_is_asked_about_people(self, run, tmp_path: Path) -> None:
        values = {'block': 2, 'dead_zone': 0.05, 'num_levels': 3}
        start = [values, {**values, 'block': 4}]
        run('--trials', '2', axes=SMALL, more=f'start = {start!r}\n')
        (path,) = (tmp_path / 'found').rglob('*.json')
        trials = json.loads(path.read_text())['trials']
        # Also the second, which tells the action no more often than the first.
        assert [trial['values'] for trial in trials] == start
        assert trials[1]['action'] <= trials[0]['action']
        assert all('template' in trial['members'] for trial in trials)

    @pytest.mark.parametrize(
        ('axes', 'message'),
        [
            ({'sampling.every': dict(choices=[2, 4])}, 'one of 4 is encoded, which leaves 1,'),
            # How well attackers learn is no part of a camera.
            ({'sampling.shift': dict(choices=[0, 2])}, 'sampling'),
            ({'sampling.seldom': dict(choices=[2])}, 'sampling'),
        ],
    )
    def test_what_cannot_be_searched_is_refused_before_any_trial(self, run, axes, message) -> None:
        with pytest.raises(SystemExit, match=message):
            run('--trials', '1', axes={**SMALL, **axes})

    def test_another_search_is_not_continued(self, run) -> None:
        run('--trials', '1', axes=SMALL)
        other = {**SMALL, 'dead_zone': dict(low=0.02, high=0.1)}
        with pytest.raises(SystemExit, match='is a search of another space, panel or data'):
            run('--trials', '2', axes=other)

    def test_a_value_that_cannot_be_is_found_before_the_first_trial(self, run, tmp_path) -> None:
        with pytest.raises(SystemExit, match='multiples? of'):
            run(axes={**SMALL, 'block': dict(choices=[2, 7])})
        assert not list((tmp_path / 'work').rglob('*'))

    def test_an_action_of_one_unit(self, run, synthetic_kth, monkeypatch) -> None:
        from bdq_plugin.evaluation import search

        load = search.load_fold

        def by_action(*args):
            fold = load(*args)
            units = tuple(str(label) for label in fold.train.actions.tolist())
            return replace(fold, train=replace(fold.train, units=units))

        monkeypatch.setattr(search, 'load_fold', by_action)
        with pytest.raises(SystemExit, match='boxing, walking: in one unit alone'):
            run(axes=SMALL)

    def test_out_without_a_choice(self, run, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match='--out and --least-action say together'):
            run('--out', str(tmp_path / 'hide.json'), axes=SMALL)
