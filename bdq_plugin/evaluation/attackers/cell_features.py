"""Hand-made features of coarse codes: of a few cells, each with few levels.

Where a frame of codes is a grid of six by eight cells, edges and textures say little. What is left
of a person is how each cell goes from level to level, which cells move together, and both of these
wherever in the picture the person is.

Names carry their dimensions: T frames, H rows, W columns.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .template_features import COARSE, FINE, REGIONS, draw_kernels, histogram, pool, turned

# Less than this, in units of the clips' scale, is rest.
_REST = 0.3
KERNELS = 300


def describe_cells(x_CTHW: Tensor, scale: float) -> dict[str, Tensor]:
    """All families of one clip; see :func:`~.template_features.describe_clip`.

    What has more cells than :data:`~.template_features.FINE` is averaged to so many.
    """
    x_THW = coarse(x_CTHW.float().mean(0) / scale)
    centred_THW = centred(x_THW)
    return {
        'transitions': transitions(x_THW),
        'courses': courses(x_THW),
        'neighbours': neighbours(x_THW),
        'centred_transitions': transitions(centred_THW),
        'centred_levels': histogram(signs(centred_THW), 3, COARSE),
        'centred_energy': _energy(centred_THW),
        'centred_neighbours': neighbours(centred_THW),
        'kernels_of_cells': random_kernels(x_THW),
    }


def coarse(x_THW: Tensor) -> Tensor:
    """The clip on a grid of 16 x 12, turned for wide frames, or on its own where that is less."""
    size = x_THW.shape[1:]
    if math.prod(size) <= math.prod(FINE):
        return x_THW
    return pool(x_THW, FINE).view(-1, *turned(FINE, size))


def signs(x_THW: Tensor) -> Tensor:
    """0 below rest, 1 at rest, 2 above."""
    return torch.bucketize(x_THW, torch.tensor([-_REST, _REST]))


def transitions(x_THW: Tensor) -> Tensor:
    """Share of each pair of signs of a frame and the next one, in each cell."""
    sign_THW = signs(_at_least(2, x_THW))
    return histogram(3 * sign_THW[1:] + sign_THW[:-1], 9, COARSE)


def courses(x_THW: Tensor) -> Tensor:
    """Share of each way to move, or not, in three frames one after another, in each cell."""
    moves_THW = (_at_least(3, x_THW).abs() > _REST).long()
    return histogram(4 * moves_THW[2:] + 2 * moves_THW[1:-1] + moves_THW[:-2], 8, COARSE)


def neighbours(x_THW: Tensor) -> Tensor:
    """Share of each pair of signs of a cell and the one beside it, and below it."""
    sign_THW = signs(x_THW)
    beside = 3 * sign_THW[:, :, 1:] + sign_THW[:, :, :-1]
    below = 3 * sign_THW[:, 1:] + sign_THW[:, :-1]
    return torch.cat([histogram(pairs, 9, COARSE) for pairs in (beside, below)])


def centred(x_THW: Tensor) -> Tensor:
    """The clip rolled so that its motion as a whole is in the middle."""
    energy_HW = x_THW.abs().sum(0)
    total = energy_HW.sum().clamp(min=1e-6)
    height, width = energy_HW.shape
    row = energy_HW.sum(1) @ torch.arange(height, dtype=energy_HW.dtype) / total
    column = energy_HW.sum(0) @ torch.arange(width, dtype=energy_HW.dtype) / total
    steps = [round(float((size - 1) / 2 - at)) for size, at in ((height, row), (width, column))]
    return x_THW.roll(steps, (1, 2))


def random_kernels(x_THW: Tensor) -> Tensor:
    """Share of positive answers of random kernels of 5 frames and 3 x 3 cells in each region."""
    kernels, biases = draw_kernels(KERNELS, frames=5, seed=1)
    padded = F.pad(_at_least(5, x_THW), (1, 1, 1, 1))
    answers = F.conv3d(padded[None, None], kernels, biases)[0]
    return pool((answers > 0).float().mean(1), REGIONS).flatten()


def _energy(x_THW: Tensor) -> Tensor:
    change_THW = _at_least(2, x_THW).diff(dim=0)
    return torch.cat([pool(part.abs().mean(0), COARSE) for part in (x_THW, change_THW)]).sqrt()


def _at_least(frames: int, x_THW: Tensor) -> Tensor:
    """The clip, or where it is shorter, its last frame again."""
    missing = max(0, frames - len(x_THW))
    return torch.cat([x_THW, x_THW[-1:].expand(missing, -1, -1)])
