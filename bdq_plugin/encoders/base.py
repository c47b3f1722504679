"""What every encoder shares: one call, one input contract."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ClipEncoder(nn.Module):
    """An encoder that stands between the pixels and every network.

    Sub-classes define :meth:`encode`; those that emit whole levels also :meth:`codes`.

    Attributes:
        signed (bool): the output is a difference, zero where nothing moves. Networks then divide
            it by the pixel's standard deviation and subtract no mean.
        expects_normalized (bool): the input must be normalised by mean and standard deviation
            before it is encoded (the released code), not lie in [0, 1].
        uses_whole_clip (bool): one output frame depends on more than its own input frames.
        config (dict): the arguments that build this encoder again.
    """

    signed = False
    expects_normalized = False
    uses_whole_clip = False
    drops_frames = 0

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {}

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """Encode a clip in float32, whatever autocast says.

        Args:
            x_NCTHW: clip of shape (N, C, T, H, W), in [0, 1] unless ``expects_normalized``.

        Returns:
            The encoded clip, (N, C, T - ``drops_frames``, H, W), float32 (float64 stays).

        Raises:
            ValueError: the input has another number of dimensions or too few frames.
        """
        if x_NCTHW.ndim != 5:
            raise ValueError(
                f'{type(self).__name__} expects a clip (N, C, T, H, W), got {tuple(x_NCTHW.shape)}'
            )
        if x_NCTHW.shape[2] <= self.drops_frames:
            raise ValueError(
                f'{type(self).__name__} needs at least {self.drops_frames + 1} frames, got a clip '
                f'of shape {tuple(x_NCTHW.shape)}'
            )
        with torch.autocast(x_NCTHW.device.type, enabled=False):
            if x_NCTHW.dtype != torch.float64:
                x_NCTHW = x_NCTHW.float()
            return self.encode(x_NCTHW)

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        """The networks' view of the clip, differentiable."""
        raise NotImplementedError

    def codes(self, x_NCTHW: Tensor) -> Tensor:
        """The uint8 levels that would leave the camera."""
        raise ValueError(
            f'{type(self).__name__} does not quantise, so it has no codes; choose an encoder with '
            "quantisation, such as build_encoder('bdq_hard')"
        )

    def state_tensors(self) -> dict[str, Tensor]:
        """What training should log of this encoder, on its device: scalars and vectors by name."""
        return {}

    def extra_state(self) -> dict[str, float | list[float]]:
        """The same as numbers."""
        return {name: value.tolist() for name, value in self.state_tensors().items()}
