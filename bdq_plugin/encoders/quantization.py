"""Q: the learned quantisers as modules, and the ranges they can work in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..camera_form import IntegerLevels, check_dead_zone
from .functional import (
    data_range,
    dead_zone_thresholds,
    hard_levels,
    quantize,
    refuse_nan,
    spread_thresholds,
    to_levels,
)

MODES = ('soft', 'hard', 'annealed')
RANGES = ('fixed', 'clip', 'batch')
# At 5 the staircase is nearly the identity; at 20 and above it is a staircase.
FINAL_HARDNESS = 20.0
# The released code's guard against a constant batch; a fixed range needs none.
RANGE_EPS = 1e-4
# Of full intensity; no noise of a sensor is as small.
MIN_DEAD_ZONE = 1e-4


class Staircase(nn.Module):
    """What quantisers share: sub-classes have ``thresholds``, ``low`` and ``high``.

    Args:
        mode: ``'soft'`` (a sum of sigmoids, the paper), ``'hard'`` (whole levels, straight-through
            gradient) or ``'annealed'`` (soft, and ever harder over training, see :meth:`anneal_`).
        range: see :class:`Quantizer`.
        hardness: slope H of the sigmoids, in units of a level.
    """

    # Whether levels count the size of a value, whatever its sign.
    magnitude = False

    def __init__(self, mode: str, range: str, hardness: float) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"unknown mode '{mode}': choose one of {MODES}")
        if range not in RANGES:
            raise ValueError(f"unknown range '{range}': choose one of {RANGES}")
        if not hardness > 0:
            raise ValueError(f'hardness must be above 0, got {hardness}')
        self.mode, self.range = mode, range
        self.annealing = hardness, max(hardness, FINAL_HARDNESS)
        self.last_range: tuple[Tensor, Tensor] | None = None

    def _keep(self, **numbers: float) -> None:
        """Register numbers that no optimiser moves.

        Floats only: MMEngine averages every buffer over the processes at the end of an epoch.
        """
        for name, number in numbers.items():
            self.register_buffer(name, torch.tensor(float(number)))

    @property
    def num_levels(self) -> int:
        """Number of output levels, one more than the thresholds."""
        return self.thresholds.numel() + 1

    def limits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The range for this input, as tensors that broadcast against ``x`` (N, ...)."""
        if self.range == 'fixed':
            return self.low.to(x), self.high.to(x)
        low, high = data_range(x, self.range)
        self.remember_range(low, high)
        return low, high

    def remember_range(self, low: Tensor, high: Tensor) -> None:
        """Keep the mean over the clips of a range that was read off the data."""
        if self.range != 'fixed':
            self.last_range = (low.detach().mean(), high.detach().mean())

    @property
    def seen_limits(self) -> tuple[Tensor, Tensor]:
        """The fixed range, or the range last read off the data (mean over the clips)."""
        return (self.low, self.high) if self.last_range is None else self.last_range

    @property
    def seen_range(self) -> tuple[float, float]:
        """:attr:`seen_limits` as numbers."""
        low, high = self.seen_limits
        return low.item(), high.item()

    def fold(self, x: Tensor) -> Tensor:
        """``x`` as the thresholds meet it: its size, where levels count that."""
        return x.abs() if self.magnitude else x

    @property
    def eps(self) -> float:
        """Guard added to ranges that are read off the data."""
        return 0.0 if self.range == 'fixed' else RANGE_EPS

    def forward(self, x: Tensor) -> Tensor:
        """Quantise ``x`` (N, ...), floating point; the output keeps shape and units."""
        x = self.fold(x)
        low, high = self.limits(x)
        hard = self.mode == 'hard'
        return quantize(x, self.thresholds, low, high, self.hardness.to(x), hard, self.eps)

    @torch.no_grad()
    def levels(self, x: Tensor) -> Tensor:
        """The uint8 level of every value of ``x`` (N, ...).

        Raises:
            ValueError: a value that is no number, which has no level.
        """
        refuse_nan(x, 'the clip')
        x = self.fold(x)
        low, high = self.limits(x)
        u = to_levels(x, low, high, self.num_levels - 1, self.eps)
        return hard_levels(u, self.thresholds).to(torch.uint8)

    @torch.no_grad()
    def anneal_(self, progress: float) -> None:
        """Set the hardness for a share of training: it rises geometrically.

        Args:
            progress: 0 in the beginning, 1 in the end; what lies beyond counts as these.
        """
        first, last = self.annealing
        self.hardness.fill_(first * (last / first) ** min(max(progress, 0.0), 1.0))

    def extra_repr(self) -> str:
        return f'num_levels={self.num_levels}, mode={self.mode}, range={self.range}'


class Quantizer(Staircase):
    """Map values to ``num_levels`` levels at learned thresholds.

    Args:
        num_levels: 2 to 256; the paper's 4 bits are 16.
        mode, hardness: see :class:`Staircase`.
        range: ``'fixed'`` (``low`` to ``high``, the same for every clip), ``'clip'`` (minimum and
            maximum of each clip) or ``'batch'`` (of the whole batch, the released code).
        low, high: the fixed range, in units of the input.
        learnable: whether the thresholds receive gradient.
    """

    def __init__(
        self,
        *,
        num_levels: int = 16,
        mode: str = 'soft',
        range: str = 'clip',
        low: float = -0.25,
        high: float = 0.25,
        hardness: float = 5.0,
        learnable: bool = True,
    ) -> None:
        super().__init__(mode, range, hardness)
        if not low < high:
            raise ValueError(f'the range needs low < high, got low={low}, high={high}')
        self.thresholds = nn.Parameter(spread_thresholds(num_levels), requires_grad=learnable)
        self._keep(low=low, high=high, hardness=hardness)

    @property
    def initial_thresholds(self) -> Tensor:
        """Where training starts, shape (K,)."""
        return spread_thresholds(self.num_levels)

    def integer_levels(self) -> IntegerLevels:
        """The levels in whole numbers."""
        numbers = self.thresholds.tolist(), self.low.item(), self.high.item()
        return IntegerLevels.of_thresholds(*numbers)

    @torch.no_grad()
    def project_(self) -> None:
        """Put the thresholds in order and in range, which an optimiser step may have left.

        A sum of sigmoids does not depend on the order of its terms, so ordering changes no output.
        """
        self.thresholds.copy_(self.thresholds.clamp(0, self.num_levels - 1).sort().values)


class DeadZoneQuantizer(Staircase):
    """Map values to few levels, symmetric about a dead zone in which nothing is told.

    ::

        5 levels   -2 |  -1  |     0     |  1  |  2     with thresholds at +-dead_zone and
        ------------ ------ ------ ------ ----- ------  +-(dead_zone + step), and so on
                            0 = no motion

    Two numbers are learned. Level ``k`` stands for ``k * step``. Two levels are events: whether the
    size of a value is above the dead zone, whatever its sign.

    Args:
        num_levels: 2, or an odd number from 3 to 255.
        dead_zone: values of at most this size are level 0, in units of the input.
        step: width of the other levels, at least ``dead_zone``, so that level 1 stands for a value
            beyond it; None for twice the dead zone, with which all levels are equally wide.
        mode, hardness: see :class:`Staircase`.
        learnable: whether the dead zone and the step receive gradient.
    """

    def __init__(
        self,
        *,
        num_levels: int = 3,
        dead_zone: float = 0.03,
        step: float | None = None,
        mode: str = 'hard',
        hardness: float = 5.0,
        learnable: bool = True,
    ) -> None:
        super().__init__(mode, 'fixed', hardness)
        self._keep(hardness=hardness)
        step = 2 * dead_zone if step is None else step
        check_dead_zone(num_levels, dead_zone, step)
        self._num_levels, self._start = num_levels, (dead_zone, step)
        self.magnitude = num_levels == 2
        self.dead_zone, self.step = (
            nn.Parameter(torch.tensor(float(number)), requires_grad=learnable)
            for number in (dead_zone, step)
        )

    @property
    def num_levels(self) -> int:
        """Number of output levels."""
        return self._num_levels

    @property
    def thresholds(self) -> Tensor:
        """Thresholds in units of a level from the lowest, shape (K,), with gradient."""
        return dead_zone_thresholds(self._num_levels, self.dead_zone / self.step)

    @property
    def initial_thresholds(self) -> Tensor:
        """Where training starts, shape (K,)."""
        dead_zone, step = self._start
        return dead_zone_thresholds(self._num_levels, torch.tensor(dead_zone / step))

    @property
    def low(self) -> Tensor:
        """What the lowest level stands for."""
        return torch.zeros_like(self.step) if self.magnitude else -self.high

    @property
    def high(self) -> Tensor:
        """What the highest level stands for."""
        return self.step * (self._num_levels // 2)

    def integer_levels(self) -> IntegerLevels:
        """The levels in whole numbers."""
        return IntegerLevels.of_dead_zone(self._num_levels, self.dead_zone.item(), self.step.item())

    @torch.no_grad()
    def project_(self) -> None:
        """Keep both above 0 and the step at least as wide as the dead zone."""
        self.dead_zone.clamp_(min=MIN_DEAD_ZONE)
        self.step.copy_(torch.maximum(self.step, self.dead_zone))
