"""The encoder in whole numbers: what a camera computes, exact in any order of summation.

A frame holds 8 bits. The 1-D kernel is rounded to whole multiples of 1/256, so a blurred value is a
whole number of at most 24 bits (255 * 256 * 256), and so is every partial sum. Float32 holds those
without rounding: torch on any device, NumPy, OpenCV and a camera's own arithmetic all give the same
levels, bit for bit.

The numbers themselves are made in :mod:`bdq_plugin.camera_form`, without torch, for a camera reads
them too; here is the arithmetic on tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera_form import KERNEL_SUM, CameraForm, integer_kernel, integer_thresholds
from .backends import runs_triton
from .functional import count_below, separable_filter, temporal_difference

__all__ = ['KERNEL_SUM', 'IntegerForm', 'integer_kernel', 'integer_thresholds']


@dataclass(frozen=True)
class IntegerForm(CameraForm):
    """An encoder in whole numbers that works on tensors; see :class:`CameraForm` for its parts."""

    @torch.no_grad()
    def values(self, frames_NCTHW: Tensor) -> Tensor:
        """Blur and difference of uint8 frames (N, C, T, H, W), as whole numbers in float32."""
        kernel = torch.tensor(self.kernel, dtype=torch.float32, device=frames_NCTHW.device)
        blurred = separable_filter(frames_NCTHW.float(), kernel, self.padding)
        return temporal_difference(blurred) if self.difference else blurred

    @torch.no_grad()
    def codes(self, frames_NCTHW: Tensor) -> Tensor:
        """uint8 frames (N, C, T, H, W) to uint8 levels (N, C, T or T - 1, H, W)."""
        if not self.dither and frames_NCTHW.dtype == torch.uint8 and runs_triton(frames_NCTHW):
            from .triton_backend import integer_codes  # slow to import

            return integer_codes(frames_NCTHW, self)
        values = self.values(frames_NCTHW)
        if self.dither:
            values = values + (self.dither * torch.randn_like(values)).round()
        thresholds = torch.tensor(self.thresholds, dtype=torch.float32, device=values.device)
        return count_below(values, thresholds)

    def decode(self, codes: Tensor) -> Tensor:
        """uint8 levels of any shape to the float32 values that they stand for."""
        return self.low + codes.float() * self.step
