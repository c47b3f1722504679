"""What happens before a camera's encoder, as transforms: to be audited, not to train with.

They stand behind ``ClipDecode`` and change ``imgs``, uint8 frames (H, W) or (H, W, 3). What is
drawn hangs on the clip's name alone, so that every audit meets the same conditions.
"""

from __future__ import annotations

import os
import zlib

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


class _Condition(BaseTransform):
    """Base: changes the frames of a clip by what its name draws."""

    def transform(self, results: dict) -> dict:
        """Replace ``results['imgs']``."""
        name = f'{os.path.basename(results["filename"])}/{results.get("start_index", 0)}'
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        results['imgs'] = self.change(results['imgs'], rng)
        results['clip_len'] = len(results['imgs'])
        return results

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f'{type(self).__name__}({", ".join(f"{k}={v}" for k, v in vars(self).items())})'


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@TRANSFORMS.register_module()
class ShakeCamera(_Condition):
    """A camera in a hand or in the wind: each frame is moved, the edge repeated.

    Args:
        pixels: standard deviation of the place, along each axis.
        memory: how much of a frame's place the next one keeps, in [0, 1).
    """

    def __init__(self, pixels: float = 1.0, memory: float = 0.7) -> None:
        if not pixels > 0 or not 0 <= memory < 1:
            raise ValueError(
                f'ShakeCamera: pixels must be above 0 and memory in [0, 1), got {pixels}, {memory}'
            )
        self.pixels, self.memory = pixels, memory

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        place = rng.normal(0, self.pixels, 2)
        moved = []
        for frame in frames:
            shift = np.float32([[1, 0, place[0]], [0, 1, place[1]]])
            size = frame.shape[1::-1]
            moved.append(cv2.warpAffine(frame, shift, size, borderMode=cv2.BORDER_REPLICATE))
            news = rng.normal(0, self.pixels, 2)
            place = self.memory * place + (1 - self.memory**2) ** 0.5 * news
        return moved


@TRANSFORMS.register_module()
class FlickerLight(_Condition):
    """Lamps on the mains before a camera of another rate: brightness goes up and down.

    Args:
        amplitude: share of the brightness, in (0, 1].
        period: in frames.
    """

    def __init__(self, amplitude: float = 0.1, period: float = 5.0) -> None:
        if not 0 < amplitude <= 1 or not period > 0:
            raise ValueError(
                'FlickerLight: amplitude must be in (0, 1] and period above 0, got '
                f'{amplitude}, {period}'
            )
        self.amplitude, self.period = amplitude, period

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        phases = 2 * np.pi * (np.arange(len(frames)) / self.period + rng.random())
        light = 1 + self.amplitude * np.sin(phases)
        return [_pixels(frame * factor) for frame, factor in zip(frames, light, strict=True)]


@TRANSFORMS.register_module()
class CompressFrames(_Condition):
    """A camera that sends JPEG pictures to the encoder.

    Args:
        quality: of JPEG, 1 to 100.
    """

    def __init__(self, quality: int = 20) -> None:
        if not 1 <= quality <= 100:
            raise ValueError(f'CompressFrames: quality must be 1 to 100, got {quality}')
        self.quality = quality

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        return [
            cv2.imdecode(cv2.imencode('.jpg', frame, options)[1], cv2.IMREAD_UNCHANGED)
            for frame in frames
        ]


@TRANSFORMS.register_module()
class StepBack(_Condition):
    """People further away: the picture shrinks to somewhere in the frame, its edge repeated.

    Args:
        scale: of height and width, in (0, 1).
    """

    def __init__(self, scale: float = 0.5) -> None:
        if not 0 < scale < 1:
            raise ValueError(f'StepBack: scale must be in (0, 1), got {scale}')
        self.scale = scale

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        height, width = frames[0].shape[:2]
        small = max(1, round(height * self.scale)), max(1, round(width * self.scale))
        top, left = rng.integers(height - small[0] + 1), rng.integers(width - small[1] + 1)
        below, right = height - small[0] - top, width - small[1] - left
        edges = tuple(map(int, (top, below, left, right)))
        return [
            cv2.copyMakeBorder(
                cv2.resize(frame, small[::-1], interpolation=cv2.INTER_AREA),
                *edges,
                cv2.BORDER_REPLICATE,
            )
            for frame in frames
        ]


@TRANSFORMS.register_module()
class StandStill(_Condition):
    """Nothing moves before a camera whose sensor is noisy: the first frame, again and again.

    Photons arrive by chance, so bright pixels are noisier than dark ones: the noise is a picture.

    Args:
        electrons: that white lays free in a pixel during a frame. Some 10,000 in daylight, 1,000
            in a dim room.
        frames: of the recording; None for as many as the clip has.
    """

    def __init__(self, electrons: float = 1000.0, frames: int | None = None) -> None:
        if not electrons > 0 or (frames is not None and frames < 1):
            raise ValueError(
                f'StandStill: electrons must be above 0 and frames 1 or more, got {electrons}, '
                f'{frames}'
            )
        self.electrons, self.frames = electrons, frames

    def change(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        mean = frames[0] / 255 * self.electrons
        return [
            _pixels(rng.poisson(mean) * (255 / self.electrons))
            for _ in range(self.frames or len(frames))
        ]
