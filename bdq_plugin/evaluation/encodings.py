"""From clear clips to what leaves the camera: which frames, how often, and in which form.

A camera encodes consecutive frames, all of them, so that is the default: every frame of a clip goes
through the encoder. ``spread`` takes a fixed number of frames over the whole clip instead, which no
camera sends, but many recognizers see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders import ClipEncoder
from ..models.data_preprocessor import BDQDataPreprocessor
from .clips import Clips

# Encoders whose range is that of the batch are encoded in batches of this size.
ENCODING_BATCH = 16


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip are encoded.

    Attributes:
        kind: ``'consecutive'``: every frame; ``'spread'``: ``frames`` of them over the whole clip.
        frames: of ``'spread'``.
        encodings: encodings of each training clip where another start or draw gives another code.
        draws: encodings of a test clip by an encoder that draws: the first left the camera, all of
            them are what someone has who can have the clip encoded again.
        shift: pixels that clear frames are moved by at most, along each axis, for all encodings of
            a training clip but the first: what someone can do who has clear video of the people.
            The code of a coarse grid hangs on where the grid falls.
        every: of ``'consecutive'``: each n-th frame alone, as ``encode_video.py --every`` sends;
            other encodings of a training clip begin with other frames.
    """

    kind: str = 'consecutive'
    frames: int = 16
    encodings: int = 6
    draws: int = 4
    shift: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ('consecutive', 'spread'):
            raise ValueError(f"sampling: kind is 'consecutive' or 'spread', got '{self.kind}'")
        for name in ('frames', 'encodings', 'draws', 'every'):
            if getattr(self, name) < 1:
                raise ValueError(f'sampling: {name} must be 1 or more, got {getattr(self, name)}')
        if self.kind == 'spread' and self.every > 1:
            raise ValueError("sampling: every is of kind='consecutive'; 'spread' has frames")
        if self.shift < 0:
            raise ValueError(f'sampling: shift must be 0 or more, got {self.shift}')

    def choose(self, clip_CTHW: Tensor, phase: float) -> Tensor:
        """The frames of one encoding.

        ``phase`` in [0, 1) says where those stand that are left out; at 0.5, which is the first
        encoding's, each n-th frame is counted from the first one on, as a camera does.
        """
        total = clip_CTHW.shape[1]
        if self.kind == 'consecutive':
            return clip_CTHW[:, int((phase + 0.5) % 1 * self.every) :: self.every]
        places = (np.arange(self.frames) + phase) * total / self.frames
        return clip_CTHW[:, torch.from_numpy(places.astype(int).clip(0, total - 1))]


def encode(
    clips: Clips,
    encoder: ClipEncoder,
    sampling: Sampling,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    training: bool,
    seed: int = 0,
) -> Clips:
    """Replace clear frames by what a network sees of an encoder's output.

    The encoder is frozen, and the output normalised as in training (``BDQDataPreprocessor``). An
    encoder with a fixed range and whole levels gives what the camera's whole-number form gives.

    Args:
        clips: clear clips, uint8.
        encoder: in the form that is audited.
        sampling: which frames, and how many encodings.
        mean, std: as ``BDQDataPreprocessor`` takes them.
        training: many encodings of each clip, where they differ, or the one of a test clip.
        seed: of all that is drawn.

    Raises:
        ValueError: the output cannot feed a network: not finite, or without frames; or too few
            frames of a clip are encoded.
    """
    check_lengths(clips, sampling, training)
    preprocessor = BDQDataPreprocessor('pass_through', frozen=True, mean=mean, std=std)
    preprocessor.encoder = encoder.eval()
    random = draws(encoder, clips.clear[0][0], preprocessor)
    count = _count(sampling, random, training)
    rng = np.random.default_rng([seed, int(training)])
    values, clear = [], []
    for k in range(count):
        # The first encoding of every clip stands in its middle, as a recognizer samples at test.
        phases = np.full(len(clips), 0.5) if not k or not training else rng.random(len(clips))
        frames = [
            sampling.choose(encodings[0], phase)
            for encodings, phase in zip(clips.clear, phases, strict=True)
        ]
        if k and training and sampling.shift:
            steps = rng.integers(-sampling.shift, sampling.shift + 1, (len(clips), 2))
            frames = [moved(clip, *step) for clip, step in zip(frames, steps, strict=True)]
        with _drawn_from(1_000_003 * seed + 2 * k + training):
            values.append(_encode_all(frames, clips.persons, preprocessor, seed + k))
        clear.append(frames)
    return replace(
        clips, values=tuple(zip(*values, strict=True)), clear=tuple(zip(*clear, strict=True))
    )


def check_lengths(clips: Clips, sampling: Sampling, training: bool) -> None:
    """Raise ValueError where each n-th frame of a clip leaves no two of them: no movement."""
    if sampling.every == 1:
        return
    # Further encodings of a training clip begin as late as with the n-th frame.
    late = training and sampling.encodings > 1
    for name, encodings in zip(clips.ids, clips.clear, strict=True):
        total = encodings[0].shape[1]
        left = total // sampling.every if late else -(-total // sampling.every)
        if left < 2:
            raise ValueError(
                f'{name}: of its {total} frames one of {sampling.every} is encoded, which leaves '
                f'{left}, and a movement needs two: encode more of them (--every), or leave this '
                'clip out of the annotation'
            )


def moved(clip_CTHW: Tensor, down: int, right: int) -> Tensor:
    """Frames moved by whole pixels; what comes in is the border's pixels again."""
    height, width = clip_CTHW.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - right).clamp(0, width - 1)
    return clip_CTHW[..., rows[:, None], columns]


@torch.no_grad()
def draws(encoder: ClipEncoder, clip_CTHW: Tensor, preprocessor: BDQDataPreprocessor) -> bool:
    """Whether an encoder gives another code when it encodes the same clip again."""
    codes = []
    for seed in (0, 1):
        with _drawn_from(seed):
            codes.append(preprocessor.encode(clip_CTHW[None]))
    return not torch.equal(*codes)


def takes_range_of_batch(encoder: ClipEncoder) -> bool:
    """Whether the code of a clip hangs on the clips that are encoded with it."""
    return bool(getattr(encoder, 'quantizes', False)) and encoder.quantize.range == 'batch'


def mixed_batches(persons: Sequence[str], size: int, seed: int = 0) -> list[np.ndarray]:
    """Batches of clips of as many people as can be.

    A batch of one person alone would mark its clips by the range that they share.

    Args:
        persons: who is in each clip.
        size: clips of a batch.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    turn = np.empty(len(persons))
    names = np.array(persons)
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        turn[mine] = (rng.permutation(len(mine)) + rng.random(len(mine))) / len(mine)
    order = np.argsort(turn, kind='stable')
    return np.array_split(order, max(1, round(len(order) / size)))


def describe_encodings(encoder: ClipEncoder, train: Clips, test: Clips) -> list[str]:
    """What a reader of the figures must know of how the codes came about."""
    notes = [
        f'{train.num_encodings} encodings of each training clip, {test.num_encodings} of each test '
        'clip'
    ]
    if not getattr(encoder, 'streamable', True):
        notes.append('no camera can compute this code: it hangs on frames to come or other clips')
    if takes_range_of_batch(encoder):
        notes.append(
            f"the range is the batch's: clips were encoded in batches of about {ENCODING_BATCH}, "
            'mixed by person, train and test apart'
        )
    if encoder.expects_normalized:
        notes.append('frames were normalised before they were encoded, as in the released code')
    return notes


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Encoders draw from ``seed`` within; the caller's generator is as before after it."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


def _count(sampling: Sampling, random: bool, training: bool) -> int:
    if training:
        starts = sampling.kind == 'spread' or sampling.every > 1
        differ = random or starts or sampling.shift > 0
        return sampling.encodings if differ else 1
    return sampling.draws if random else 1


def _encode_all(
    frames: list[Tensor], persons: Sequence[str], preprocessor: BDQDataPreprocessor, seed: int
) -> list[Tensor]:
    if not takes_range_of_batch(preprocessor.encoder):
        return [_encode_batch([clip], preprocessor)[0] for clip in frames]
    encoded: list[Any] = [None] * len(frames)
    for batch in mixed_batches(persons, ENCODING_BATCH, seed):
        values = _encode_batch([frames[i] for i in batch], preprocessor)
        for i, value in zip(batch, values, strict=True):
            encoded[i] = value
    return encoded


@torch.no_grad()
def _encode_batch(clips: list[Tensor], preprocessor: BDQDataPreprocessor) -> list[Tensor]:
    """Encode clips together. Shorter ones stand still at their end, which changes no range."""
    longest = max(clip.shape[1] for clip in clips)
    batch = torch.stack(
        [
            F.pad(clip.float(), (0, 0, 0, 0, 0, longest - clip.shape[1]), mode='replicate')
            for clip in clips
        ]
    )
    values = preprocessor.encode(batch)
    name = type(preprocessor.encoder).__name__
    if values.ndim != 5 or not values.numel():
        raise ValueError(
            f'{name} gives {tuple(values.shape)}, which no attacker can read: the output must be '
            'a clip (N, C, T, H, W) with a frame at least'
        )
    if not torch.isfinite(values).all():
        raise ValueError(f'{name} gives values that are not finite: its numbers are broken')
    lost = longest - values.shape[2]
    return [
        value[:, : clip.shape[1] - lost].half() for value, clip in zip(values, clips, strict=True)
    ]
