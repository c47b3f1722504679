"""One attacker of a panel from its config to a record: built, checked, trained, asked."""

from __future__ import annotations

import time
import zlib
from typing import Any

import numpy as np

from .attackers.base import ATTACKERS, TARGETS, Attacker
from .attackers.templates import accuracy
from .clips import Clips, leave_one_unit_out
from .ensemble import combine, fit_weights, held_out_loss

Record = dict[str, Any]

_LEAST_WEIGHT = 0.01


def build_attacker(
    name: str,
    config: dict[str, Any],
    outputs: dict[str, int],
    multi_label: bool = False,
    seed: int = 0,
    device: str = 'cpu',
) -> Attacker:
    """Build one attacker of a panel, untrained.

    Args:
        name: its name in the panel; with ``seed`` it decides all that the attacker draws.
        config: of a class of ``ATTACKERS``.
        outputs: K of each target.
        multi_label: identities are attributes.
        seed: of the cell.
        device: where networks are trained; classes without networks take none.

    Raises:
        ValueError: the class or an argument is unknown.
    """
    target = config.get('target', 'identity')
    if target not in outputs:
        raise ValueError(f"panel '{name}': unknown target '{target}', choose one of {TARGETS}")
    arguments = dict(
        config,
        num_outputs=outputs[target],
        multi_label=multi_label and target == 'identity',
        seed=zlib.crc32(f'{seed}/{name}'.encode()),
    )
    try:
        attacker = ATTACKERS.build(arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"panel '{name}': {error}") from error
    attacker.device = device
    return attacker


def check_panel(
    networks: dict[str, dict[str, Any]],
    outputs: dict[str, int],
    clips: Clips,
    multi_label: bool = False,
) -> dict[str, str]:
    """Find every mistake of a panel before the first attacker is trained.

    Returns:
        Attackers that are left out, with the reason.

    Raises:
        ValueError: an attacker cannot be built, or cannot read such clips.
    """
    left_out = {}
    for name, config in networks.items():
        reason = _missing(name, config)
        if reason is not None:
            left_out[name] = reason
            continue
        attacker = build_attacker(name, config, outputs, multi_label)
        try:
            attacker.check(clips)
        except ValueError as error:
            raise ValueError(f"panel '{name}': {error}") from error
    if not any(looks_for_people(networks[name]) for name in networks.keys() - left_out.keys()):
        raise ValueError(f'no attacker of the panel can take part: {left_out}')
    return left_out


def looks_for_people(config: dict[str, Any]) -> bool:
    """Whether a network of a panel is an attacker, and not the recognizer of the action."""
    return config.get('target', 'identity') == 'identity'


def _missing(name: str, config: dict[str, Any]) -> str | None:
    """See :meth:`Attacker.missing`; asked first, for what is missing cannot be built."""
    kind = ATTACKERS.get(config.get('type', ''))
    if kind is None:
        raise ValueError(
            f"panel '{name}': no attacker '{config.get('type')}': choose one of "
            f'{", ".join(sorted(ATTACKERS.module_dict))}, or register your own'
        )
    return kind.missing(config)


def run_member(
    build: Any, train: Clips, test: Clips, held_out: bool = True
) -> tuple[Record, np.ndarray | None]:
    """Train an attacker, ask it, and calibrate it within the training clips.

    Args:
        build: gives a fresh attacker.
        train, test: encoded clips.
        held_out: whether its answers for training clips that it did not see are needed; where
            fitting does not give them, a copy is trained for each unit that is left out.

    Returns:
        A JSON-ready record (see :func:`describe_scores`), and the held-out scores (N, K).
    """
    started = time.perf_counter()
    attacker = build()
    fit = attacker.fit(train)
    answer = attacker.answer(test)
    scores = fit.held_out
    if scores is None and held_out:
        scores = cross_fit(build, train)
    record = describe_scores(answer.log_probs, scores, train.target(attacker.target).numpy())
    record |= {
        'target': attacker.target,
        'train_accuracy': round(fit.train_accuracy, 6),
        'converged': bool(fit.converged),
        'epochs': fit.epochs,
        'notes': fit.notes,
        'extras': {key: round(float(value), 6) for key, value in answer.extras.items()},
        'seconds': round(time.perf_counter() - started, 1),
    }
    if answer.frame_hits is not None:
        record['frame_hits'] = np.round(answer.frame_hits, 4).tolist()
    return record, scores


def held_out_scores(build: Any, train: Clips) -> np.ndarray:
    """Scores (N, K) of each training clip by what learned from the other units alone."""
    attacker = build()
    return attacker.fit(train).held_out if attacker.cross_fits else cross_fit(build, train)


def cross_fit(build: Any, train: Clips) -> np.ndarray:
    """Scores (N, K) of each training clip by an attacker that learned from the other units."""
    scores: np.ndarray | None = None
    for learn, judge in leave_one_unit_out(train):
        attacker = build()
        attacker.fit(train.select(learn))
        answer = attacker.answer(train.select(judge).first_encodings()).log_probs[:, 0]
        if scores is None:
            scores = np.zeros((len(train), answer.shape[1]))
        scores[judge] = answer
    assert scores is not None
    return scores


def describe_scores(
    scores_NEK: np.ndarray, held_out_NK: np.ndarray | None, truth: np.ndarray
) -> Record:
    """What is kept of an attacker's answers.

    Args:
        scores_NEK: for the test clips, each encoding by itself.
        held_out_NK: for training clips that it did not see, or None.
        truth: of the training clips.

    Returns:
        ``scores``: calibrated log-probabilities (or log-odds) of each test clip by the encoding
        that left the camera; ``scores_of_all``: by all its encodings together, where there are
        several; ``temperature_weight``, ``held_out_loss`` (nats) and ``held_out_accuracy``.
    """
    multi_label = truth.ndim == 2
    weight = np.ones(1)
    if held_out_NK is not None:
        # At no weight all answers would be equal, and what the attacker does see would be lost.
        weight = fit_weights(held_out_NK[None], truth).clip(_LEAST_WEIGHT)

    def calibrated(scores_NK: np.ndarray) -> list[list[float]]:
        return np.round(combine(scores_NK[None], weight, multi_label), 3).tolist()

    record: Record = {'scores': calibrated(scores_NEK[:, 0])}
    if scores_NEK.shape[1] > 1:
        record['scores_of_all'] = calibrated(scores_NEK.sum(1))
    if held_out_NK is not None:
        record['temperature_weight'] = round(float(weight[0]), 4)
        record['held_out_loss'] = round(held_out_loss(held_out_NK, truth), 4)
        record['held_out_accuracy'] = round(accuracy(held_out_NK, truth), 6)
    return record
