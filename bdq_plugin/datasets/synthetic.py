"""Synthetic data: stick people who differ in looks and in what they do.

:func:`make_kth` writes them in KTH's own format, :func:`make_folder` as anyone's own videos. In
clear video identity is easy from a single frame (brightness and pattern of the clothes, build)
and the action is easy from motion, so that small networks learn both within a minute or two on a
CPU. It stands in for KTH in tests and first tries; its numbers say nothing about KTH.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from .kth import KTH_ACTIONS, KTH_SUBJECTS

SEQUENCES = 4
FPS = 25

# Speed in body heights a frame, stride in cycles a frame.
_GAITS = {'walking': (0.02, 0.04), 'jogging': (0.045, 0.07), 'running': (0.08, 0.10)}
# Cycles a frame of the arms, for those who stay in place.
_ARM_CYCLES = {'boxing': 0.08, 'handclapping': 0.06, 'handwaving': 0.04}


@dataclass(frozen=True)
class _Look:
    """What a person looks like: lengths in body heights, brightness in [0, 255]."""

    height: float
    width: float
    head: float
    clothes: int
    legs: int
    stripes: int


@dataclass(frozen=True)
class _Pose:
    """Points of a person, in body heights, from the hip, y downwards; arms and legs as end
    points."""

    hands: tuple[tuple[float, float], tuple[float, float]]
    feet: tuple[tuple[float, float], tuple[float, float]]


def make_kth(
    root: str | Path,
    subjects: int = 5,
    scenarios: int = 4,
    frames_per_sequence: int = 36,
    size: tuple[int, int] = (160, 120),
    seed: int = 0,
) -> list[Path]:
    """Write ``root/videos/personNN_ACTION_dK_uncomp.avi`` and ``root/00sequences.txt``.

    Each video has four sub-sequences without gaps between them. The same arguments give the same
    frames. ``tools/data/kth/prepare.py`` prepares the folder like the real one.

    Args:
        root: Folder to write to; made where it is missing.
        subjects: People, 1 to 25.
        scenarios: Scenarios, 1 to 4.
        frames_per_sequence: Length of each sub-sequence, in frames.
        size: Width and height in pixels, both even.
        seed: Seed of looks, motion and noise.

    Returns:
        The paths of the videos.

    Raises:
        ValueError: An argument is out of its range.
        FileExistsError: ``root`` holds an index already.
    """
    _check_arguments(subjects, scenarios, frames_per_sequence, size)
    root = Path(root)
    index = root / '00sequences.txt'
    if index.exists():
        raise FileExistsError(f'{index} exists: choose another folder or remove this one')
    (root / 'videos').mkdir(parents=True, exist_ok=True)
    videos, lines = [], []
    for person, subject in enumerate(KTH_SUBJECTS[:subjects]):
        look = _look(person, seed)
        for number, action in enumerate(KTH_ACTIONS):
            for scenario in range(1, scenarios + 1):
                stem = f'{subject}_{action}_d{scenario}'
                rng = np.random.default_rng([seed, person, number, scenario])
                path = root / 'videos' / f'{stem}_uncomp.avi'
                frames = _render_video(look, action, scenario, frames_per_sequence, size, rng)
                _write_video(path, frames, size)
                videos.append(path)
                lines.append(_index_line(stem, frames_per_sequence))
        lines.append('')
    index.write_bytes('\r\n'.join([*lines, '']).encode())
    return videos


def make_folder(
    root: str | Path,
    actions: Sequence[str] = ('boxing', 'handwaving', 'walking'),
    subjects: Sequence[str] = ('anna', 'ben', 'carla'),
    takes: int = 3,
    frames: int = 40,
    size: tuple[int, int] = (96, 72),
    suffix: str = '.mp4',
    seed: int = 0,
) -> list[Path]:
    """Write ``root/ACTION/SUBJECT_TAKE.mp4``: colour videos as a folder of one's own holds them.

    Args:
        root: Folder to write to; made where it is missing.
        actions: Some of KTH's six.
        subjects: Names of people.
        takes: Videos of each person and action.
        frames: Frames of each video.
        size: Width and height in pixels, both even.
        suffix: Of the files, ``'.mp4'`` or ``'.avi'``.
        seed: Seed of looks, motion and noise.

    Returns:
        The paths of the videos.

    Raises:
        ValueError: An argument is out of its range.
    """
    unknown = [name for name in actions if name not in KTH_ACTIONS]
    if unknown:
        raise ValueError(f'actions are some of {", ".join(KTH_ACTIONS)}, not {", ".join(unknown)}')
    _check_arguments(1, 1, frames, size)
    videos = []
    for person, subject in enumerate(subjects):
        look = _look(person, seed)
        tint = np.random.default_rng([seed, person]).uniform(0.4, 1.0, 3)
        for number, action in enumerate(actions):
            for take in range(1, takes + 1):
                rng = np.random.default_rng([seed, person, number, take])
                path = Path(root, action, f'{subject}_{take}{suffix}')
                path.parent.mkdir(parents=True, exist_ok=True)
                pictures = _render_video(look, action, 1, frames, size, rng, sequences=1)
                _write_video(path, (_in_colour(picture, tint) for picture in pictures), size)
                videos.append(path)
    return videos


def _in_colour(grey: np.ndarray, tint: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3): what is very dark or bright, which is the person, in a colour."""
    person = ((grey < 90) | (grey > 170))[..., None]
    return np.where(person, grey[..., None] * tint, grey[..., None]).astype(np.uint8)


def _check_arguments(
    subjects: int, scenarios: int, frames_per_sequence: int, size: tuple[int, int]
) -> None:
    if not 1 <= subjects <= len(KTH_SUBJECTS):
        raise ValueError(f'subjects must be 1 to {len(KTH_SUBJECTS)}, got {subjects}')
    if not 1 <= scenarios <= 4:
        raise ValueError(f'scenarios must be 1 to 4, got {scenarios}')
    if frames_per_sequence < 1:
        raise ValueError(f'frames_per_sequence must be 1 or more, got {frames_per_sequence}')
    if len(size) != 2 or any(side < 16 or side % 2 for side in size):
        raise ValueError(f'size must be an even width and height of 16 or more, got {size}')


def _index_line(stem: str, frames: int) -> str:
    """A line as in KTH's index, which counts frames from 1 and includes both ends."""
    ranges = ', '.join(f'{k * frames + 1}-{(k + 1) * frames}' for k in range(SEQUENCES))
    return f'{stem}\t\tframes\t{ranges}'


def _look(person: int, seed: int) -> _Look:
    # Spread over the people in turn, rather than at random: any two must be easy to tell apart.
    rng = np.random.default_rng([seed, person])
    return _Look(
        height=0.52 + 0.05 * (person % 4) + rng.uniform(0, 0.01),
        width=0.14 + 0.05 * (person // 2 % 3),
        head=0.07 + 0.02 * (person % 3),
        clothes=(20, 235, 90, 160, 55)[person % 5],
        legs=(60, 25, 220, 40, 190)[(person + person // 5) % 5],
        stripes=person // 5 % 5 if person >= 5 else person % 3,
    )


def _render_video(
    look: _Look,
    action: str,
    scenario: int,
    frames_per_sequence: int,
    size: tuple[int, int],
    rng: np.random.Generator,
    sequences: int = SEQUENCES,
) -> Iterator[np.ndarray]:
    """Yield grey frames, uint8 (H, W)."""
    background = _background(scenario, size, rng)
    # Scenario 2 of KTH is filmed at changing distance, here: a nearer or farther person in each.
    scale = size[1] * look.height * (1.0, 1.15, 0.95, 1.05)[scenario - 1]
    for _ in range(sequences):
        phase, direction = rng.uniform(), rng.choice((-1, 1))
        start = rng.uniform(0.35, 0.65) if action in _ARM_CYCLES else rng.uniform()
        tempo = rng.uniform(0.9, 1.1)
        for t in range(frames_per_sequence):
            x = start
            if action in _GAITS:
                speed = _GAITS[action][0] * scale / size[0]  # in frame widths
                x = (start + direction * tempo * speed * t) % 1.0
            frame = background.copy()
            pose = _pose(action, phase + tempo * t * _cycle(action))
            _draw_person(frame, look, pose, (x * size[0], 0.55 * size[1]), scale, direction)
            noise = rng.integers(-3, 4, frame.shape, dtype=np.int16)
            yield np.clip(frame + noise, 0, 255).astype(np.uint8)


def _background(scenario: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A grey scene with a floor and soft blotches, a brightness of its own for each scenario."""
    width, height = size
    scene = np.full((height, width), (140.0, 120.0, 165.0, 105.0)[scenario - 1])
    scene[int(0.8 * height) :] -= 15
    blotches = rng.normal(0, 8, (4, 5)).astype(np.float32)
    scene += cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(scene, 0, 255).astype(np.uint8)


def _cycle(action: str) -> float:
    """Cycles a frame."""
    return _GAITS[action][1] if action in _GAITS else _ARM_CYCLES[action]


def _pose(action: str, cycles: float) -> _Pose:
    swing = np.sin(2 * np.pi * cycles)
    standing = ((-0.08, 0.45), (0.08, 0.45))
    if action == 'boxing':  # the fists go out in turn, to the front
        reach = 0.27 + 0.2 * np.array([swing, -swing])
        return _Pose(((reach[0], -0.36), (reach[1], -0.28)), standing)
    if action == 'handclapping':  # both hands meet before the chest
        spread = 0.22 + 0.2 * swing
        return _Pose(((-spread, -0.22), (spread, -0.22)), standing)
    if action == 'handwaving':  # stretched arms swing between level and upright
        angle = 0.2 * np.pi + 0.25 * np.pi * swing
        side, up = 0.4 * np.cos(angle), -0.36 - 0.4 * np.sin(angle)
        return _Pose(((-side, up), (side, up)), standing)
    stride = {'walking': 0.14, 'jogging': 0.2, 'running': 0.28}[action] * swing
    lift = 0.08 if action == 'running' else 0.0
    return _Pose(
        ((-0.7 * stride, -0.12), (0.7 * stride, -0.12)),
        ((-stride, 0.45 - lift * max(swing, 0)), (stride, 0.45 - lift * max(-swing, 0))),
    )


def _draw_person(
    frame: np.ndarray,
    look: _Look,
    pose: _Pose,
    hip: tuple[float, float],
    scale: float,
    direction: int,
) -> None:
    """Draw into ``frame`` in place. ``hip`` in pixels, ``scale`` the body height in pixels."""

    def point(x: float, y: float) -> tuple[int, int]:
        return (round(hip[0] + direction * scale * x), round(hip[1] + scale * y))

    limb = max(2, round(0.07 * scale))
    skin = 235 if look.clothes < 128 else 30
    for foot in pose.feet:
        cv2.line(frame, point(0, 0), point(*foot), look.legs, limb)
    left, top = point(0, 0)[0] - round(look.width * scale / 2), point(0, -0.4)[1]
    right, bottom = left + round(look.width * scale), point(0, 0.02)[1]
    cv2.rectangle(frame, (left, top), (right, bottom), look.clothes, -1)
    for k in range(1, look.stripes + 1):
        y = top + k * (bottom - top) // (look.stripes + 1)
        cv2.line(frame, (left, y), (right, y), 255 - look.clothes, max(1, limb // 2))
    for hand in pose.hands:
        cv2.line(frame, point(0, -0.35), point(*hand), skin, limb)
        cv2.circle(frame, point(*hand), max(2, round(0.06 * scale)), skin, -1)
    cv2.circle(frame, point(0, -0.4 - look.head), round(look.head * scale), skin, -1)


def _write_video(path: Path, frames: Iterator[np.ndarray], size: tuple[int, int]) -> None:
    with av.open(str(path), 'w') as container:
        # As in KTH's own files (MPEG-4 in AVI), which decord and PyAV decode to the same frames.
        stream = container.add_stream('mpeg4', rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p'
        stream.bit_rate = 1_500_000
        stream.codec_context.thread_count = 1  # with more, the bytes depend on the machine
        for frame in frames:
            form = 'gray' if frame.ndim == 2 else 'rgb24'
            picture = av.VideoFrame.from_ndarray(frame, format=form)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
