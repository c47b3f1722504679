"""The certificate of an encoder with randomised response: its bounds for a clip, an hour, a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..camera_form import CameraForm, check_blocks
from ..markdown import table
from .statistics import capacity_bits, most_accuracy, pair_error, privacy_loss

LINKED = 12


@dataclass(frozen=True)
class Use:
    """How a camera uses an encoder.

    Attributes:
        height, width, channels: of the frames that are encoded.
        frame_rate: of the camera, frames a second.
        every: of these each n-th is encoded.
        clip_seconds: length of a clip.
        hours: of use in a day.
        people, actions: how many there are to tell apart, equally likely.

    Raises:
        ValueError: a number that is not above 0, more than 24 hours, or fewer than two people or
            actions.
    """

    height: int
    width: int
    channels: int = 3
    frame_rate: float = 25.0
    every: int = 1
    clip_seconds: float = 3.0
    hours: float = 24.0
    people: int = 10
    actions: int = 6

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f'{name} must be above 0, got {value}')
        if self.hours > 24:
            raise ValueError(f'a day has 24 hours, got hours={self.hours}')
        if min(self.people, self.actions) < 2:
            raise ValueError('one among two people or actions is the least that can be told')

    def codes_a_frame(self, form: CameraForm) -> int:
        """Raise ValueError where the frames are no whole number of blocks."""
        check_blocks(self.height, self.width, form.block)
        return self.height // form.block * (self.width // form.block) * self.channels

    def frames(self, seconds: float) -> int:
        """How many frames are encoded in that time, rounded up."""
        return math.ceil(round(seconds * self.frame_rate / self.every, 6))


@dataclass(frozen=True)
class Bound:
    """What codes can tell anybody at most.

    Attributes:
        of: what is seen, such as a clip.
        codes: how many.
        bits: most information about anything that was filmed, so about the person or the action.
        person, action: share of the cases in which these can be named at most.
        pair_error: EER of telling two given ones apart at least, all of whose codes differ.
        pair_error_half: the same, half of whose codes differ.
        privacy_loss: epsilon of local differential privacy, nats.
    """

    of: str
    codes: int
    bits: float
    person: float
    action: float
    pair_error: float
    pair_error_half: float
    privacy_loss: float


def bound(of: str, codes: int, form: CameraForm, use: Use) -> Bound:
    """The bound for a number of codes."""
    response = form.flip, form.num_levels
    bits = codes * capacity_bits(*response)
    return Bound(
        of,
        codes,
        bits,
        most_accuracy(bits, use.people),
        most_accuracy(bits, use.actions),
        pair_error(codes, *response),
        pair_error(codes // 2, *response),
        codes * privacy_loss(*response),
    )


def certify(form: CameraForm, use: Use) -> list[Bound]:
    """Bounds for a frame of codes, a clip, linked clips, an hour and a day of use.

    Raises:
        ValueError: the encoder replaces no codes, so that there is no bound; or its blocks do not
            fit the frames.
    """
    if not form.flip:
        raise ValueError(
            'no bound exists: the encoder sends its codes as they are, and what these tell is only '
            'known by attacks (tools/audit.py), which are never the strongest. A bound needs '
            'randomised response, flip above 0'
        )
    frames = {
        'frame': 1,
        f'clip of {use.clip_seconds:g} s': use.frames(use.clip_seconds),
        f'{LINKED} linked clips': LINKED * use.frames(use.clip_seconds),
        'hour': use.frames(3600),
        f'day of {use.hours:g} h': use.frames(3600 * use.hours),
    }
    cells = use.codes_a_frame(form)
    return [bound(of, cells * count, form, use) for of, count in frames.items()]


def certificate_table(bounds: Sequence[Bound], form: CameraForm, use: Use) -> str:
    """The bounds in Markdown, and what they mean."""
    head = ['of a', 'codes', 'bits, at most', f'one of {use.people} people named, at most']
    head += [f'one of {use.actions} actions named, at most', 'EER of two given ones, at least']
    head += ['the same, half of the codes differ', 'epsilon']
    cells = [
        [
            each.of,
            f'{each.codes:,}',
            f'{each.bits:.3g}',
            f'{100 * each.person:.1f} %',
            f'{100 * each.action:.1f} %',
            f'{100 * each.pair_error:.1f} %',
            f'{100 * each.pair_error_half:.1f} %',
            f'{each.privacy_loss:.3g}',
        ]
        for each in bounds
    ]
    return (
        f'{table(head, cells)}\n\n'
        f'Of {use.frame_rate:g} frames a second one of {use.every} is encoded. Each code, one of '
        f'{form.num_levels} levels, is replaced by another one with probability '
        f'{form.flip:g}, drawn once. The bounds hold against any attacker, and for all that is '
        'filmed: who cannot tell the person cannot tell the action from as few bits either. Bits '
        'add up over clips and days; where they exceed those of the people, nothing is promised '
        'any more. How many codes there are, and when, is no part of the bound.\n'
    )


def certificate_document(bounds: Sequence[Bound], form: CameraForm, use: Use) -> dict[str, Any]:
    """The same, JSON-ready."""
    return {
        'flip': form.flip,
        'num_levels': form.num_levels,
        'use': asdict(use),
        'bounds': [asdict(each) for each in bounds],
    }
