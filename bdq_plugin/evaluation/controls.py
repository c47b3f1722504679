"""Negative controls: what an attacker finds where the code should give nothing away.

Each answers the question how much of an attacker's success is not the person:

- ``permuted``: the same attacker, trained with people's names permuted within each unit, must stay
  at chance;
- ``border``: only the outer eighth of each frame: what scene and crop give away;
- ``length``: only the number of frames of a clip;
- ``label``, ``scores``, ``features``: only what a recognizer of the action says of a clip. Whoever
  can tell the action from a code can tell this much of the person;
- ``label_stream``: only what leaves where the network runs in the camera, as ``tools/recognize.py
  --json`` writes it: the label, how sure it is, and how long the clip lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from .attackers.base import Attacker
from .attackers.discriminant import discriminant
from .clips import Clips, leave_one_unit_out

OF_RECOGNITION = ('label', 'scores', 'features', 'label_stream')
CONTROLS = ('permuted', 'border', 'length', *OF_RECOGNITION)

# Share of each side that is border.
_BORDER = 1 / 8
_SHRINKAGE = 0.3
# A network's certainty has no more digits than this.
_UNSURE = 1e-4


def permuted(clips: Clips, seed: int) -> Clips:
    """Training clips whose identities are permuted within each unit."""
    rng = np.random.default_rng(seed)
    order = np.arange(len(clips))
    units = np.array(clips.units)
    for unit in np.unique(units):
        mine = np.flatnonzero(units == unit)
        order[mine] = rng.permutation(mine)
    return replace(clips, identities=clips.identities[order])


def border(clips: Clips) -> Clips:
    """Clips whose frames are at rest but for their border."""
    return replace(clips, values=tuple(tuple(map(_border, each)) for each in clips.values))


def by_length(train: Clips, test: Clips, num_outputs: int) -> np.ndarray:
    """Scores (N, K) of people by the length of their clips alone."""
    return _classify(_of_length(train), train.identities.numpy(), _of_length(test), num_outputs)


def by_recognition(
    build: Callable[[], Attacker], train: Clips, test: Clips, num_outputs: int
) -> dict[str, list[np.ndarray]]:
    """Scores of people by what a recognizer of the action says.

    The recognizer learns the action on some units of the training clips; on the others its answers
    for clips that it does not know teach a discriminant analysis the people; this one is asked for
    the people in the test clips.

    Args:
        build: a fresh network for the action, with ``answer`` and ``embed``.
        train, test: encoded clips.
        num_outputs: people.

    Returns:
        By name of :data:`OF_RECOGNITION` scores (N, K), one for each unit left out.
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in OF_RECOGNITION}
    train, test = train.first_encodings(), test.first_encodings()
    for learn, judge in leave_one_unit_out(train):
        network, known = build(), train.select(judge)
        network.fit(train.select(learn))
        sides = {}
        for side, clips in (('train', known), ('test', test)):
            scores = network.answer(clips).log_probs[:, 0]
            sides[side] = dict(
                label=_label(scores),
                scores=scores,
                features=network.embed(clips),
                label_stream=_label_stream(scores, clips.lengths.numpy(), known.lengths.numpy()),
            )
        for name, answers in found.items():
            answers.append(
                _classify(
                    sides['train'][name], known.identities.numpy(), sides['test'][name], num_outputs
                )
            )
    return found


def _border(x_CTHW: Tensor) -> Tensor:
    height, width = x_CTHW.shape[-2:]
    rows, columns = (max(1, round(_BORDER * side)) for side in (height, width))
    kept = torch.ones(height, width, dtype=torch.bool)
    kept[rows : height - rows, columns : width - columns] = False
    return x_CTHW * kept


def _of_length(clips: Clips) -> np.ndarray:
    length = clips.lengths.numpy().astype(float)
    return np.stack([np.log(length), length, np.sqrt(length)], 1)


def _label(log_probs_NA: np.ndarray) -> np.ndarray:
    return np.eye(log_probs_NA.shape[1])[log_probs_NA.argmax(1)]


def _label_stream(
    log_probs_NA: np.ndarray, lengths: np.ndarray, known_lengths: np.ndarray
) -> np.ndarray:
    """Label, confidence and duration, and these two for each label by itself.

    How long a kick takes says more of someone than how long a clip takes.
    """
    label = _label(log_probs_NA)
    confidence = np.exp(log_probs_NA.max(1)).clip(_UNSURE, 1 - _UNSURE)
    duration = np.log(lengths / np.exp(np.log(known_lengths).mean()))
    told = np.stack([np.log(confidence / (1 - confidence)), duration], 1)
    each = (label[:, :, None] * told[:, None]).reshape(len(told), -1)
    return np.concatenate([label, told, each], 1)


def _classify(
    train_ND: np.ndarray, truth: np.ndarray, test_ND: np.ndarray, num_outputs: int
) -> np.ndarray:
    # A column that is the same for all (an action that never is answered) has no scale.
    scaler = StandardScaler().fit(train_ND)
    learn = discriminant(scaler.transform(train_ND), truth, _SHRINKAGE, num_outputs)
    return learn(scaler.transform(test_ND))
