"""Hand-made features of an encoded clip: motion templates, in families.

What names people in a code of differences is the local shape and texture of the parts that move.
Each family describes one side of that as a vector, averaged over time, so that clips of any length
compare. Sources: histograms of oriented gradients (Dalal and Triggs, CVPR 2005), local binary
patterns (Ojala et al., PAMI 2002), motion energy images (Bobick and Davis, PAMI 2001), random
convolution kernels (ROCKET: Dempster et al., DMKD 2020).

scikit-image has the first two for one frame at a time; here all frames of a clip go at once, which
takes a tenth of the time.

Names carry their dimensions: T frames, H rows, W columns, G cells of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

# Grids, rows and columns, for frames that are taller than wide; turned for others.
FINE, MEDIUM, COARSE, REGIONS = (16, 12), (11, 8), (8, 6), (4, 3)
ORIENTATIONS = 8
LEVEL_EDGES = (-4.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 4.0)
KERNELS = 100
# A difference this small, in units of the clips' scale, is no edge between two neighbours.
_FLAT = 0.3

Family = Callable[[Tensor], Tensor]


def describe_clip(x_CTHW: Tensor, scale: float) -> dict[str, Tensor]:
    """All families of one clip.

    Args:
        x_CTHW: an encoded clip, float, its rest (no motion, or black) at 0. Colours are averaged.
        scale: typical size of its values, the same for all clips that are compared.

    Returns:
        Vectors by family. A family whose features need two frames is all zero for a single one.
    """
    x_THW = x_CTHW.float().mean(0) / scale
    change_THW = x_THW.diff(dim=0) if len(x_THW) > 1 else torch.zeros_like(x_THW)
    size_THW = x_THW.abs()
    signed, unsigned = orientations(x_THW), orientations(size_THW)
    return {
        'edges_fine': _mean(_cells(signed, FINE)),
        'edges_of_size': _mean(_cells(unsigned, MEDIUM)),
        'edges_over_time': _cells(signed, COARSE).std(0, correction=0).flatten(),
        'edges_half': _mean(_cells(orientations(_halved(x_THW)), COARSE)),
        'edges_of_change': _mean(_cells(orientations(change_THW), COARSE)),
        'edges_of_pictures': _cells(
            orientations(torch.stack([size_THW.mean(0), change_THW.abs().mean(0)])), COARSE
        ).flatten(),
        'patterns': histogram(binary_patterns(x_THW), 59, REGIONS),
        'levels': histogram(
            torch.bucketize(x_THW, torch.tensor(LEVEL_EDGES)), len(LEVEL_EDGES) + 1, COARSE
        ),
        'energy': torch.cat(
            [pool(size_THW.mean(0), FINE), pool(change_THW.abs().mean(0), FINE)]
        ).sqrt(),
        'stages': _stages(size_THW, change_THW.abs()),
        'gait': _gait(size_THW),
        'kernels': random_kernels(_halved(x_THW)),
    }


def pool(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """The mean of each cell of a grid: (..., H, W) to (..., G)."""
    rows, columns = turned(grid, x.shape[-2:])
    flat = x.reshape(1, -1, *x.shape[-2:])
    return F.adaptive_avg_pool2d(flat, (rows, columns)).reshape(*x.shape[:-2], rows * columns)


def orientations(x_THW: Tensor) -> Tensor:
    """Strength of the gradient by its orientation, (T, ORIENTATIONS, H, W).

    Orientations are those of half a turn, each gradient shared by the nearest two.
    """
    gx = F.pad(x_THW[:, :, 2:] - x_THW[:, :, :-2], (1, 1))
    gy = F.pad(x_THW[:, 2:] - x_THW[:, :-2], (0, 0, 1, 1))
    strength = torch.hypot(gx, gy)
    place = torch.atan2(gy, gx).remainder(math.pi) * (ORIENTATIONS / math.pi)
    shares = []
    for k in range(ORIENTATIONS):
        distance = (place - k).abs()
        distance = torch.minimum(distance, ORIENTATIONS - distance)
        shares.append(strength * (1 - distance).clamp(min=0))
    return torch.stack(shares, 1)


def binary_patterns(x_THW: Tensor) -> Tensor:
    """Which of the eight neighbours are brighter: 58 uniform patterns and one for the rest."""
    height, width = x_THW.shape[1:]
    centre = x_THW[:, 1:-1, 1:-1] + _FLAT
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    code = torch.zeros(centre.shape, dtype=torch.long)
    for bit, (y, x) in enumerate(ring):
        code += (x_THW[:, y : height - 2 + y, x : width - 2 + x] > centre).long() << bit
    return _uniform_patterns()[code]


def histogram(codes_THW: Tensor, count: int, grid: tuple[int, int]) -> Tensor:
    """Square root of the share of each of ``count`` codes in each cell of a grid, (G * count,)."""
    height, width = codes_THW.shape[1:]
    rows, columns = turned(grid, (height, width))
    row = torch.arange(height) * rows // height
    column = torch.arange(width) * columns // width
    cell_HW = row[:, None] * columns + column
    counts = torch.bincount(
        (codes_THW + count * cell_HW).flatten(), minlength=count * rows * columns
    )
    shares = counts.view(-1, count).float()
    return (shares / shares.sum(1, keepdim=True).clamp(min=1)).sqrt().flatten()


def random_kernels(x_THW: Tensor) -> Tensor:
    """Share of positive answers of random 3 x 3 x 3 kernels in each region; zero if too short."""
    kernels, biases = draw_kernels(KERNELS, frames=3, seed=0)
    if min(x_THW.shape) < 3:
        return torch.zeros(KERNELS * REGIONS[0] * REGIONS[1])
    answers = F.conv3d(x_THW[None, None], kernels, biases)[0]
    return pool((answers > 0).float().mean(1), REGIONS).flatten()


def _cells(maps_TBHW: Tensor, grid: tuple[int, int]) -> Tensor:
    """Histograms of a grid's cells, each by its own norm and a little of its frame's: (T, B, G)."""
    cells = pool(maps_TBHW, grid)
    own = cells.square().sum(1, keepdim=True).sqrt()
    frame = cells.square().sum((1, 2), keepdim=True).sqrt()
    return cells / (own + 0.05 * frame + 1e-6)


def _mean(cells_TBG: Tensor) -> Tensor:
    return cells_TBG.mean(0).flatten()


def _stages(size_THW: Tensor, change_THW: Tensor) -> Tensor:
    """Where something moves, in each quarter of the clip."""
    parts = []
    for x_THW in (size_THW, change_THW):
        quarters = (torch.arange(4 + 1) * len(x_THW) / 4).round().long().tolist()
        for start, end in pairwise(quarters):
            stage = x_THW[start : max(end, start + 1)]
            parts.append(pool(stage.mean(0) if len(stage) else x_THW.mean(0), COARSE))
    return torch.cat(parts).sqrt()


def _gait(size_THW: Tensor) -> Tensor:
    """Centre, width and amount of the motion over time: their course and their spectra."""
    height, width = size_THW.shape[1:]
    total = size_THW.sum((1, 2)).clamp(min=1e-6)
    rows, columns = size_THW.sum(2) / total[:, None], size_THW.sum(1) / total[:, None]
    y, x = torch.linspace(0, 1, height), torch.linspace(0, 1, width)
    centre_y, centre_x = rows @ y, columns @ x
    spread_y = (rows @ y.square() - centre_y.square()).clamp(min=0).sqrt()
    spread_x = (columns @ x.square() - centre_x.square()).clamp(min=0).sqrt()
    course_5T = torch.stack(
        [centre_y, centre_x, spread_y, spread_x, (total / (height * width)).sqrt()]
    )
    even = F.interpolate(course_5T[None], 16, mode='linear', align_corners=True)[0]
    spectrum = torch.fft.rfft(even - even.mean(1, keepdim=True)).abs()
    profile = torch.cat([F.adaptive_avg_pool1d(p.mean(0)[None], 16)[0] for p in (rows, columns)])
    return torch.cat([even.flatten(), spectrum.flatten(), profile])


def _halved(x_THW: Tensor) -> Tensor:
    return F.avg_pool2d(x_THW[None], 2)[0] if min(x_THW.shape[1:]) >= 16 else x_THW


def turned(grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """A grid, rows and columns, for frames of a size, (H, W): the other way round for wide ones."""
    return grid if size[0] >= size[1] else grid[::-1]


@lru_cache(maxsize=1)
def _uniform_patterns() -> Tensor:
    """From a ring of eight bits to one of 59 classes: at most two changes along the ring, or 58."""
    table, found = [], 0
    for code in range(256):
        bits = [code >> k & 1 for k in range(8)]
        uniform = sum(bits[k] != bits[k - 1] for k in range(8)) <= 2
        table.append(found if uniform else 58)
        found += uniform
    return torch.tensor(table)


@lru_cache(maxsize=2)
def draw_kernels(count: int, frames: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random kernels of mean 0 and length 1, (count, 1, frames, 3, 3); biases (count,)."""
    generator = torch.Generator().manual_seed(seed)
    kernels = torch.randn(count, 1, frames, 3, 3, generator=generator)
    kernels -= kernels.mean((2, 3, 4), keepdim=True)
    kernels /= kernels.flatten(1).norm(dim=1).view(-1, 1, 1, 1, 1)
    return kernels, torch.randn(count, generator=generator) / 2
