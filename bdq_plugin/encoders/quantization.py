"""Q: the learned quantiser as a module, and the ranges it can work in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .functional import data_range, hard_levels, quantize, refuse_nan, spread_thresholds, to_levels

MODES = ('soft', 'hard', 'annealed')
RANGES = ('fixed', 'clip', 'batch')
# At 5 the staircase is nearly the identity; at 20 and above it is a staircase.
FINAL_HARDNESS = 20.0
# The released code's guard against a constant batch; a fixed range needs none.
RANGE_EPS = 1e-4


class Quantizer(nn.Module):
    """Map values to ``num_levels`` levels at learned thresholds.

    Args:
        num_levels: 2 to 256; the paper's 4 bits are 16.
        mode: ``'soft'`` (a sum of sigmoids, the paper), ``'hard'`` (whole levels, straight-through
            gradient) or ``'annealed'`` (soft, and ever harder over training, see :meth:`anneal_`).
        range: ``'fixed'`` (``low`` to ``high``, the same for every clip), ``'clip'`` (minimum and
            maximum of each clip) or ``'batch'`` (of the whole batch, the released code).
        low, high: the fixed range, in units of the input.
        hardness: slope H of the sigmoids.
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
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"unknown mode '{mode}': choose one of {MODES}")
        if range not in RANGES:
            raise ValueError(f"unknown range '{range}': choose one of {RANGES}")
        if not low < high:
            raise ValueError(f'the range needs low < high, got low={low}, high={high}')
        if not hardness > 0:
            raise ValueError(f'hardness must be above 0, got {hardness}')
        self.mode, self.range = mode, range
        self.annealing = hardness, max(hardness, FINAL_HARDNESS)
        self.last_range: tuple[Tensor, Tensor] | None = None
        self.thresholds = nn.Parameter(spread_thresholds(num_levels), requires_grad=learnable)
        # Floats only: MMEngine averages every buffer over the processes at the end of an epoch.
        self.register_buffer('low', torch.tensor(float(low)))
        self.register_buffer('high', torch.tensor(float(high)))
        self.register_buffer('hardness', torch.tensor(float(hardness)))

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

    @property
    def eps(self) -> float:
        """Guard added to ranges that are read off the data."""
        return 0.0 if self.range == 'fixed' else RANGE_EPS

    def forward(self, x: Tensor) -> Tensor:
        """Quantise ``x`` (N, ...), floating point; the output keeps shape and units."""
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

    @torch.no_grad()
    def project_(self) -> None:
        """Put the thresholds in order and in range, which an optimiser step may have left.

        A sum of sigmoids does not depend on the order of its terms, so ordering changes no output.
        """
        self.thresholds.copy_(self.thresholds.clamp(0, self.num_levels - 1).sort().values)

    def extra_repr(self) -> str:
        return f'num_levels={self.num_levels}, mode={self.mode}, range={self.range}'
