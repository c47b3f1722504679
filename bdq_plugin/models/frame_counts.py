"""Networks that take a fixed number of frames: say what to ask for where the encoder leaves fewer.

A difference leaves T - 1 of T frames. Most networks take what comes; C3D, SlowFast and others fail
deep inside, with the shapes of two matrices, and those that shift between ``num_segments`` frames
would mix the clips of a batch.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from mmaction.utils import OptSampleList
from torch import Tensor


def frames_of_a_view(clip_len: int, num_clips: int) -> int:
    """Frames that are encoded together: a clip, or the one-frame segments of TSN and TSM."""
    return clip_len if clip_len > 1 else num_clips


def explain_frame_counts() -> None:
    """Let every recognizer name the key of the pipeline that asks for more frames.

    Safe to call more than once.
    """
    stock = BaseRecognizer.forward
    if hasattr(stock, '__wrapped__'):
        return

    @functools.wraps(stock)
    def forward(
        self: BaseRecognizer,
        inputs: Tensor,
        data_samples: OptSampleList = None,
        mode: str = 'tensor',
        **kwargs: Any,
    ) -> Any:
        layout = _layout(inputs, data_samples)
        if layout is not None and inputs.ndim == 5:
            _check_segments(self, inputs.shape[1], *layout)
        try:
            return stock(self, inputs, data_samples, mode, **kwargs)
        except Exception as error:
            if layout is None or inputs.ndim != 6:
                raise
            wanted, left = layout[0], inputs.shape[3]
            if (
                wanted <= left
                or _works(stock, self, inputs)
                or not _works(stock, self, inputs, wanted - left)
            ):
                raise
            raise ValueError(
                f'{type(self.backbone).__name__} takes {wanted} frames and gets {left}: the '
                f'encoder leaves {left} of {wanted}. Ask for {wanted - left} more: '
                f'clip_len={2 * wanted - left} in the sampling step of the pipeline'
            ) from error

    BaseRecognizer.forward = forward


def _layout(inputs: Any, data_samples: OptSampleList) -> tuple[int, int] | None:
    """``clip_len`` and ``num_clips`` as they were packed, None where they were not."""
    if not data_samples or not isinstance(inputs, Tensor):
        return None
    layout = data_samples[0].get('clip_len'), data_samples[0].get('num_clips')
    return layout if all(isinstance(number, int) for number in layout) else None


def _check_segments(recognizer: BaseRecognizer, frames: int, clip_len: int, num_clips: int) -> None:
    """Raise where ``num_segments`` of a 2D network does not divide a sample's frames."""
    sampled = frames_of_a_view(clip_len, num_clips)
    dropped = next(drop for drop in range(sampled) if frames % (sampled - drop) == 0)
    for part in (recognizer.backbone, getattr(recognizer, 'cls_head', None)):
        segments = getattr(part, 'num_segments', None)
        if dropped and isinstance(segments, int) and frames % segments:
            key = 'clip_len' if clip_len > 1 else 'num_clips'
            raise ValueError(
                f'{type(part).__name__} takes num_segments={segments} frames a view and gets '
                f'{sampled - dropped}: the encoder leaves {sampled - dropped} of {sampled}. Ask '
                f'for {key}={segments + dropped} in the sampling step of the pipeline'
            )


@torch.no_grad()
def _works(stock: Any, recognizer: BaseRecognizer, inputs: Tensor, more: int = 0) -> bool:
    """Whether the network predicts from one sample, repeating its last frame ``more`` times."""
    sample = torch.cat([inputs[:1], *[inputs[:1, :, :, -1:]] * more], 3)
    training = recognizer.training
    recognizer.eval()
    try:
        stock(recognizer, sample, [ActionDataSample()], 'predict')
    except Exception:
        return False
    finally:
        recognizer.train(training)
    return True
