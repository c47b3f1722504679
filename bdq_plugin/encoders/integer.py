"""The encoder in whole numbers on tensors: what a camera computes, exact in any order of summation.

A frame holds 8 bits. The 1-D kernel is rounded to whole multiples of 1/256, so a blurred value is a
whole number of at most 24 bits (255 * 256 * 256), and so is every partial sum. Float32 holds those
without rounding: torch on any device, NumPy, OpenCV and a camera's own arithmetic all give the same
levels, bit for bit.

The numbers themselves are those of :class:`bdq_plugin.camera_form.CameraForm`, without torch, for a
camera reads them too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..camera_form import CameraForm
from .backends import runs_triton
from .functional import count_below, separable_filter, temporal_difference


@torch.no_grad()
def integer_codes(form: CameraForm, frames_NCTHW: Tensor) -> Tensor:
    """uint8 frames (N, C, T, H, W) to uint8 levels (N, C, T or T - 1, H, W)."""
    if not form.dither and frames_NCTHW.dtype == torch.uint8 and runs_triton(frames_NCTHW):
        from .backends import triton  # slow to import

        return triton.integer_codes(frames_NCTHW, form)
    values = _values(form, frames_NCTHW)
    if form.dither:
        values = values + (form.dither * torch.randn_like(values)).round()
    thresholds = torch.tensor(form.thresholds, dtype=torch.float32, device=values.device)
    return count_below(values, thresholds)


def _values(form: CameraForm, frames_NCTHW: Tensor) -> Tensor:
    """Blur and difference of uint8 frames (N, C, T, H, W), as whole numbers in float32."""
    kernel = torch.tensor(form.kernel, dtype=torch.float32, device=frames_NCTHW.device)
    blurred = separable_filter(frames_NCTHW.float(), kernel, form.padding)
    return temporal_difference(blurred) if form.difference else blurred


def decode(form: CameraForm, codes: Tensor) -> Tensor:
    """uint8 levels of any shape to the float32 values that they stand for."""
    return form.low + codes.float() * form.step
