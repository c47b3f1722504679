"""The learned staircase of the quantiser, and which levels real clips use."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..encoders import BDQEncoder
from ..encoders.functional import hard_levels, soft_levels
from .sheet import network_input
from .style import ACTION, NEUTRAL, PRIVACY, look, panels


def level_shares(encoder: BDQEncoder, clips_NCTHW: torch.Tensor) -> np.ndarray:
    """Share of all pixels that fall on each level, (K + 1,), summing to 1.

    Args:
        encoder: one with quantisation.
        clips_NCTHW: uint8 clips.
    """
    codes = encoder.eval().codes(network_input(encoder, clips_NCTHW))
    counts = torch.bincount(codes.flatten().long(), minlength=encoder.quantize.num_levels)
    return (counts / counts.sum()).numpy()


def staircase(encoder: BDQEncoder, clips_NCTHW: torch.Tensor | None = None) -> Figure:
    """Initial against learned thresholds, and under it how often clips use each level.

    Args:
        encoder: one with quantisation.
        clips_NCTHW: uint8 clips; without them there is no histogram.

    Raises:
        ValueError: the encoder does not quantise.
    """
    if not getattr(encoder, 'quantizes', False):
        raise ValueError(f'{type(encoder).__name__} does not quantise: it has no staircase')
    with look():
        figure, axes = panels(1 if clips_NCTHW is None else 2, height=2.6)
        _draw_stairs(axes[0], encoder)
        if clips_NCTHW is not None:
            shares = level_shares(encoder, clips_NCTHW)
            _draw_histogram(axes[1], encoder, shares, len(clips_NCTHW))
        axes[-1].set_xlabel('input in units of a level: 0 the lowest of the range, K the highest')
    return figure


def _draw_stairs(axis: Axes, encoder: BDQEncoder) -> None:
    quantize = encoder.quantize
    top = quantize.num_levels - 1
    u = torch.linspace(-0.5, top + 0.5, 1600)
    initial, learned = quantize.initial_thresholds, quantize.thresholds.detach()
    soft = soft_levels(u, learned, quantize.hardness.item())
    axis.plot(u, hard_levels(u, initial), color=NEUTRAL, ls='--', lw=1, label='initial, hard')
    axis.plot(u, hard_levels(u, learned), color=ACTION, lw=1.5, label='learned, hard')
    label = f'learned, soft (H = {quantize.hardness.item():g})'
    axis.plot(u, soft, color=PRIVACY, ls='-.', lw=1.1, label=label)
    # The thresholds themselves, on the axis: their moves are small against a whole staircase.
    axis.plot(learned, np.full(len(learned), -0.6), '|', color=ACTION, ms=7, clip_on=False)
    axis.set(xlim=(-0.5, top + 0.5), ylim=(-0.6, top + 0.5), ylabel='level')
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(integer=True))
    axis.set_title('Staircase', loc='left', fontweight='bold')
    axis.legend(loc='upper left', fontsize=8)


def _draw_histogram(axis: Axes, encoder: BDQEncoder, shares: np.ndarray, clips: int) -> None:
    """A bar spans the inputs that get its level: from its threshold to the next."""
    learned = encoder.quantize.thresholds.detach().sort().values.numpy()
    edges = np.concatenate([[-0.5], learned, [len(learned) + 0.5]])
    axis.bar(
        edges[:-1], 100 * shares, np.diff(edges), align='edge', color=ACTION, ec='white', lw=0.6
    )
    # Most pixels do not move: on a linear axis one level would be all there is.
    axis.set_yscale('log')
    seen = 100 * shares[shares > 0]
    axis.set_ylim(10 ** np.floor(np.log10(seen.min())) / 2, 200)
    axis.set(ylabel='pixels (%), log scale')
    axis.yaxis.set_major_formatter('{x:g}')
    noun = 'clip' if clips == 1 else 'clips'
    axis.set_title(f'Levels of {clips} {noun}', loc='left', fontweight='bold')
