"""Search the few numbers of an encoder: action against identity, within the training takes alone.

A trial sets the numbers, encodes the training clips of a fold, and asks attackers and recognisers
for clips of a unit (a take) that they did not learn from. Two figures come of it: how often the
action is told, which should be high, and how much a clip tells about the person, which should be
little. That is counted in bits, not in clips that are named: where hardly any is, bits still tell a
code that leaks a little, which many clips of one person would add up, from one that leaks nothing.
What no other trial beats is the front. The test take is not opened: :mod:`.audit` does that, once,
with attackers that are trained to the end.

More attackers can only find more, so that a trial is over as soon as those that were asked have
found enough for another trial to beat it: what is costly is spent on what may be on the front.

The optimiser is Optuna's multi-objective TPE (Ozaki et al., GECCO 2020). Trials lie in a journal
that any number of processes share and continue.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.config import Config

from ..encoders import ClipEncoder, build_encoder
from ..paths import CONFIGS
from .attackers.base import TARGETS
from .attackers.templates import accuracy
from .clips import Clips, load_fold
from .encodings import check_lengths, encode
from .ensemble import combine, fit_weights
from .members import build_attacker, check_panel, held_out_scores, looks_for_people
from .pareto import pareto_front
from .results import fingerprint, software, write_json
from .settings import Data

if TYPE_CHECKING:
    import optuna

FORMAT, VERSION = 'bdq-search', 1
Values = dict[str, Any]
# An axis that is not the encoder's: which of its frames a camera encodes.
_EVERY = 'sampling.every'


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        name: of the config.
        encoder: preset or class whose arguments the values replace.
        axes: by argument (``'geometric_dither.warp'`` for one within a dict) either ``choices`` or
            ``low`` and ``high``, with ``log`` where the scale is a logarithm. An axis
            ``'sampling.every'`` is no argument: of the frames each n-th is encoded.
        start: values that are tried first.
        panel: recognisers and attackers, as in the panel of an audit; attackers are asked in this
            order, so that what is cheap stands first.
        encodings: of each training clip, where an encoder draws.
        least_action: where the action is told in a smaller share of the clips, attackers are not
            asked, and the trial counts as if it told everything of the person.
    """

    name: str
    encoder: str
    axes: dict[str, dict[str, Any]]
    start: tuple[Values, ...]
    panel: dict[str, dict[str, Any]]
    encodings: int = 3
    least_action: float = 0.0

    def __post_init__(self) -> None:
        for axis, limits in self.axes.items():
            if limits.keys() not in ({'choices'}, {'low', 'high'}, {'low', 'high', 'log'}):
                raise ValueError(
                    f"{self.name}: axis '{axis}' has {sorted(limits)}: give choices, or low and "
                    'high (and log)'
                )
            if 'low' in limits and not limits['low'] < limits['high']:
                raise ValueError(f"{self.name}: axis '{axis}': low is not below high")
            if axis == _EVERY and any(
                type(n) is not int or n < 1 for n in limits.get('choices', [None])
            ):
                raise ValueError(f"{self.name}: axis '{axis}' needs choices: whole numbers from 1")
        for values in self.start:
            if values.keys() != self.axes.keys():
                odd = sorted(values.keys() ^ self.axes.keys())
                raise ValueError(f'{self.name}: a start names each axis once, check {odd}')
        targets = {config.get('target', 'identity') for config in self.panel.values()}
        if targets != set(TARGETS):
            raise ValueError(f'{self.name}: the panel needs members for each of {TARGETS}')

    def build(self, values: Values) -> ClipEncoder:
        """The encoder of some values.

        Raises:
            ValueError: it takes no such argument.
        """
        arguments = {k: v for k, v in values.items() if k != _EVERY}
        return build_encoder(self.encoder, **nested(arguments))

    def sampled(self, data: Data, values: Values) -> Data:
        """The data as these values sample it.

        Raises:
            ValueError: its frames are spread over a clip.
        """
        every = values.get(_EVERY, data.sampling.every)
        sampling = replace(data.sampling, encodings=self.encodings, every=every)
        return replace(data, sampling=sampling)

    def corners(self) -> list[Values]:
        """Values at the ends of each axis, the others those of a start or of the lower ends."""
        ends = {axis: _ends(limits) for axis, limits in self.axes.items()}
        middle = self.start[0] if self.start else {axis: each[0] for axis, each in ends.items()}
        return [{**middle, axis: end} for axis, each in ends.items() for end in each]


def load_space(name: str) -> Space:
    """Read ``configs/search/NAME.py``, or a config file by its path.

    Raises:
        FileNotFoundError: no such config.
        ValueError: it lacks an entry, or one of them is wrong.
    """
    folder = CONFIGS / 'search'
    path = Path(name) if name.endswith('.py') else folder / f'{name}.py'
    if not path.is_file():
        known = ', '.join(sorted(p.stem for p in folder.glob('*.py')))
        raise FileNotFoundError(f"no search config '{name}': choose one of {known}, or give a path")
    config = Config.fromfile(str(path))
    missing = [key for key in ('encoder', 'space', 'panel') if key not in config]
    if missing:
        raise ValueError(f'{path} is no search config: it lacks {", ".join(missing)}')
    found = config.to_dict()
    start = tuple(found.get('start', ()))
    options = {key: found[key] for key in ('encodings', 'least_action') if key in found}
    return Space(path.stem, found['encoder'], found['space'], start, found['panel'], **options)


@dataclass(frozen=True)
class Judgement:
    """What the training takes say of an encoder.

    Attributes:
        action, identity: share of the training clips whose action, and whose person, all members
            that were asked for it together tell from the other units; 1 where nobody was asked.
        bits: what these answers tell about the person of a clip, see :func:`leaked_bits`; all that
            there is where nobody was asked.
        members: the share that each member tells which was asked.
    """

    action: float
    identity: float
    bits: float
    members: dict[str, float]


def judge(
    encoder: ClipEncoder,
    clips: Clips,
    data: Data,
    space: Space,
    seed: int = 0,
    enough: Callable[[Judgement], bool] = lambda judgement: False,
) -> Judgement:
    """Encode training clips and ask the panel for those that it did not learn from.

    Args:
        encoder: what is judged, in the form that leaves a camera.
        clips: clear training clips of two units or more.
        data: how they are encoded.
        space: gives the panel.
        seed: of all that is drawn; the same for all encoders, so that they meet the same noise.
        enough: whether no further attacker need be asked; it is asked itself after all
            recognisers, and after each attacker.
    """
    encoded = encode(clips, encoder, data.sampling, data.mean, data.std, training=True, seed=seed)
    outputs = {target: int(clips.target(target).max()) + 1 for target in TARGETS}
    check_panel(space.panel, outputs, encoded)
    truth = {target: clips.target(target).numpy() for target in TARGETS}
    scores: dict[str, list[np.ndarray]] = {target: [] for target in TARGETS}
    members = {}
    for group in _in_turn(space.panel):
        for name, config in group.items():
            target = 'identity' if looks_for_people(config) else 'action'
            build = partial(build_attacker, name, config, outputs, seed=seed)
            found = held_out_scores(build, encoded)
            scores[target].append(found)
            members[name] = accuracy(found, truth[target])
        judgement = _judgement(scores, truth, outputs['identity'], members)
        if enough(judgement):
            break
    return judgement


def _in_turn(panel: dict[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """All recognisers at once, then each attacker by itself."""
    attackers = {name: config for name, config in panel.items() if looks_for_people(config)}
    recognisers = {name: config for name, config in panel.items() if name not in attackers}
    return [recognisers, *({name: config} for name, config in attackers.items())]


def _judgement(
    scores: dict[str, list[np.ndarray]],
    truth: dict[str, np.ndarray],
    people: int,
    members: dict[str, float],
) -> Judgement:
    action = accuracy(_pooled(np.stack(scores['action']), truth['action']), truth['action'])
    if not scores['identity']:
        return Judgement(action, 1.0, float(np.log2(people)), dict(members))
    pooled, persons = _pooled(np.stack(scores['identity']), truth['identity']), truth['identity']
    return Judgement(action, accuracy(pooled, persons), leaked_bits(pooled, persons), dict(members))


def leaked_bits(log_probs_NK: np.ndarray, truth: np.ndarray) -> float:
    """What answers tell of one of K people who are all as likely: log2(K) less cross-entropy, >= 0.

    Args:
        log_probs_NK: calibrated answers for held-out clips.
        truth: labels (N,).
    """
    surprise = -log_probs_NK[np.arange(len(truth)), truth].mean() / np.log(2)
    return max(0.0, float(np.log2(log_probs_NK.shape[1]) - surprise))


def search(
    space: Space,
    data: Data,
    protocol: str,
    fold: int,
    *,
    trials: int,
    seed: int = 0,
    work_dir: str | os.PathLike = 'work_dirs/search',
    log: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Try values until there are ``trials`` of them, those of earlier and other processes included.

    Args:
        space, data: what is searched, on which clips.
        protocol, fold: whose training clips.
        trials: in all.
        seed: of what encoders draw. What is proposed next hangs on which trials are finished.
        work_dir: folder of the journal.
        log: receives a line a trial.

    Returns:
        The finished trials: ``number``, ``values``, and the fields of :class:`Judgement`.

    Raises:
        ValueError: a value that the encoder refuses, or a journal of another search.
        ImportError: Optuna is not installed.
    """
    loaded = load_fold(data.dataset, protocol, fold, log)
    clips = loaded.train
    _check_actions(clips, loaded.actions)
    for values in (*space.start, *space.corners()):
        sampling = space.sampled(data, values).sampling
        encoder, first = space.build(values), clips.select([0])
        encode(first, encoder, sampling, data.mean, data.std, training=False)
        check_lengths(clips, sampling, training=True)
    settings = fingerprint(
        VERSION, space.encoder, space.axes, space.panel, space.encodings, space.least_action,
        data.identity(), protocol, fold, seed,
    )  # fmt: skip
    path = Path(work_dir, f'{space.name}-{data.name}-{protocol}-fold{fold}-seed{seed}.journal')
    study = _open(path, settings)
    for values in space.start:
        study.enqueue_trial(values, skip_if_exists=True)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        values = {axis: _suggest(trial, axis, limits) for axis, limits in space.axes.items()}
        whole = [each for each in finished(study) if each['members'].keys() == space.panel.keys()]

        def enough(so_far: Judgement) -> bool:
            if not any(looks_for_people(space.panel[name]) for name in so_far.members):
                return so_far.action < space.least_action
            return any(beats(trial, so_far) for trial in whole)

        encoder, sampled = space.build(values), space.sampled(data, values)
        found = judge(encoder, clips, sampled, space, seed, enough)
        trial.set_user_attr('identity', found.identity)
        trial.set_user_attr('members', found.members)
        log(
            f'trial {trial.number}: action {found.action:.1%}, identity {found.identity:.1%}, '
            f'{found.bits:.3f} bits: '
            + ', '.join(f'{k.split(".")[-1]} {_short(v)}' for k, v in values.items())
        )
        return found.action, found.bits

    while len(finished(study)) < trials:
        study.optimize(objective, n_trials=1)
    return finished(study)


def finished(study: optuna.Study) -> list[dict[str, Any]]:
    """The finished trials of a study, in the order of their numbers."""
    return [
        dict(
            number=trial.number,
            values=dict(trial.params),
            action=round(trial.values[0], 6),
            identity=round(trial.user_attrs['identity'], 6),
            bits=round(trial.values[1], 6),
            members=trial.user_attrs['members'],
        )
        for trial in study.trials
        if trial.state.name == 'COMPLETE'
    ]


def front(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trials that no other one beats, by rising action."""
    return [trials[i] for i in pareto_front([(t['action'], t['bits']) for t in trials])]


def choose(trials: Sequence[dict[str, Any]], least_action: float) -> dict[str, Any]:
    """The trial that tells least of the person among those that tell so much of the action.

    Raises:
        ValueError: no trial tells so much.
    """
    enough = [trial for trial in trials if trial['action'] >= least_action]
    if not enough:
        most = max((trial['action'] for trial in trials), default=0.0)
        raise ValueError(f'no trial tells {least_action:.1%} of the actions: {most:.1%} at most')
    return min(enough, key=lambda trial: (trial['bits'], -trial['action'], trial['number']))


def write_search(
    path: str | os.PathLike,
    space: Space,
    data: Data,
    protocol: str,
    fold: int,
    trials: Sequence[dict[str, Any]],
) -> None:
    """Write all trials as one JSON."""
    write_json(
        path,
        dict(
            format=FORMAT,
            version=VERSION,
            space=dict(
                encoder=space.encoder,
                axes=space.axes,
                panel=space.panel,
                encodings=space.encodings,
                least_action=space.least_action,
            ),
            data=data.identity(),
            protocol=protocol,
            fold=fold,
            trials=list(trials),
            versions=software(),
        ),
    )


def beats(trial: dict[str, Any], found: Judgement) -> bool:
    """Whether a trial tells as much of the action and as little of the person, and is no equal."""
    ours, theirs = (found.action, -found.bits), (trial['action'], -trial['bits'])
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def nested(values: Values) -> dict[str, Any]:
    """``{'a.b': 1}`` as ``{'a': {'b': 1}}``."""
    config = Config()
    config.merge_from_dict(values)
    return config.to_dict()


def _check_actions(clips: Clips, names: Sequence[str]) -> None:
    units: dict[int, set[str]] = {}
    for label, unit in zip(clips.actions.tolist(), clips.units, strict=True):
        units.setdefault(label, set()).add(unit)
    alone = sorted(names[label] for label, seen in units.items() if len(seen) < 2)
    if alone:
        raise ValueError(
            f'{", ".join(alone)}: in one unit alone (a take, a session), so that nothing could be '
            'learned of it without the clips that are to be told: add clips, or leave it out '
            '(actions=[...])'
        )


def _open(path: Path, settings: str) -> optuna.Study:
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise ImportError('a search needs Optuna: pip install "bdq_plugin[search]"') from error
    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
        study_name=path.stem,
        directions=['maximize', 'minimize'],
        # Several processes try at once: none proposes what another is at.
        sampler=optuna.samplers.TPESampler(constant_liar=True),
        load_if_exists=True,
    )
    if study.user_attrs.get('settings', settings) != settings:
        raise ValueError(
            f'{path} is a search of another space, panel or data: move it away, or name yours '
            'differently'
        )
    study.set_user_attr('settings', settings)
    return study


def _suggest(trial: optuna.Trial, axis: str, limits: dict[str, Any]) -> Any:
    if 'choices' in limits:
        return trial.suggest_categorical(axis, limits['choices'])
    return trial.suggest_float(
        axis, limits['low'], limits['high'], log=bool(limits.get('log', False))
    )


def _pooled(scores_ANK: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return combine(scores_ANK, fit_weights(scores_ANK, truth))


def _ends(limits: dict[str, Any]) -> list[Any]:
    return list(limits['choices']) if 'choices' in limits else [limits['low'], limits['high']]


def _short(value: Any) -> str:
    return f'{value:.3g}' if isinstance(value, float) else str(value)
