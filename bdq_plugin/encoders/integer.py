"""The encoder in whole numbers on tensors: what a camera computes, exact in any order of summation.

A frame holds 8 bits. The 1-D kernel is rounded to whole multiples of 1/256, so a blurred value is a
whole number of at most 24 bits (255 * 256 * 256), and so is every partial sum. Float32 holds those
without rounding: torch on any device, NumPy, OpenCV and a camera's own arithmetic all give the same
levels, bit for bit.

The numbers themselves are those of :class:`bdq_plugin.camera_form.CameraForm`, without torch, for a
camera reads them too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..camera_form import CameraForm
from ..randomized_response import respond
from .backends import runs_triton
from .functional import (
    count_below,
    draw_words,
    in_blocks,
    separable_filter,
    temporal_difference,
)
from .geometry import move_pixels


@torch.no_grad()
def integer_codes(
    form: CameraForm,
    frames_NCTHW: Tensor,
    noise_NCTHW: Tensor | None = None,
    secrets: Sequence[bytes] | None = None,
    words_NCTHW: Tensor | None = None,
) -> Tensor:
    """uint8 frames (N, C, T, H, W) to uint8 levels (N, C, T or T - 1, H / block, W / block).

    The noise of the dither, whole numbers in float32 shaped like the levels, can be given; None
    draws it from torch's generator, and likewise the secret of each clip's geometric dither and the
    words of the randomised response.
    """
    codes = _codes(form, frames_NCTHW, noise_NCTHW, secrets)
    if not form.flip:
        return codes
    words_NCTHW = draw_words(codes) if words_NCTHW is None else words_NCTHW
    return respond(codes, words_NCTHW, form.flip, form.num_levels).to(torch.uint8)


def _codes(
    form: CameraForm,
    frames_NCTHW: Tensor,
    noise_NCTHW: Tensor | None,
    secrets: Sequence[bytes] | None,
) -> Tensor:
    """The levels before any is replaced."""
    if form.geometry is not None:
        frames_NCTHW = move_pixels(frames_NCTHW, form.geometry, secrets)
    plain = form.dither or noise_NCTHW is not None or form.block > 1 or form.magnitude
    if not plain and frames_NCTHW.dtype == torch.uint8 and runs_triton(frames_NCTHW):
        from .backends import triton  # slow to import

        return triton.integer_codes(frames_NCTHW, form)
    values = _values(form, frames_NCTHW)
    if noise_NCTHW is None and form.dither:
        noise_NCTHW = (form.dither * torch.randn_like(values)).round()
    if noise_NCTHW is not None:
        values = values + noise_NCTHW
    if form.magnitude:
        values = values.abs()
    thresholds = torch.tensor(form.thresholds, dtype=torch.float32, device=values.device)
    return count_below(values, thresholds)


def _values(form: CameraForm, frames_NCTHW: Tensor) -> Tensor:
    """Blur, block means and difference of uint8 frames, as whole numbers in float32."""
    kernel = torch.tensor(form.kernel, dtype=torch.float32, device=frames_NCTHW.device)
    blurred = separable_filter(frames_NCTHW.float(), kernel, form.padding)
    means = integer_block_mean(blurred, form.block)
    return temporal_difference(means) if form.difference else means


def integer_block_mean(x_NCTHW: Tensor, block: int) -> Tensor:
    """The mean over blocks of whole numbers from 0 to 2^24, rounded down; float32 in and out.

    The sum of a block needs more than the 24 bits of float32, so it is taken in whole numbers.
    """
    if block == 1:
        return x_NCTHW
    sums = in_blocks(x_NCTHW.to(torch.int32), block).sum((-3, -1))
    return torch.div(sums, block * block, rounding_mode='floor').float()


def decode(form: CameraForm, codes: Tensor) -> Tensor:
    """uint8 levels of any shape to the float32 values that they stand for."""
    return form.low + codes.float() * form.step
