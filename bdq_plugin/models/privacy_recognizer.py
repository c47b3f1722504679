"""A 2D network that tries to recognise the person in single encoded frames."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import BaseModel
from torch import Tensor, nn


def frames_of(inputs: Tensor) -> Tensor:
    """All frames of each sample of a batch, as (N, frames, C, H, W).

    Args:
        inputs: (N, M, C, T, H, W) for 3D networks, whose M views give M * T frames, or
            (N, T, C, H, W) for 2D networks.
    """
    if inputs.ndim == 5:
        return inputs
    return inputs.transpose(2, 3).flatten(1, 2)


def refuse_blending(data_preprocessor: nn.Module) -> None:
    """Raise ValueError where clips of several people would be mixed under the label of one."""
    if getattr(data_preprocessor, 'blending', None) is not None:
        raise ValueError(
            'data_preprocessor.blending mixes clips and their action labels, but gt_subject and '
            'gt_attributes would stay those of one of them: remove it where a privacy network '
            'learns'
        )


@MODELS.register_module()
class PrivacyRecognizer(BaseModel):
    """Backbone and privacy head over frames: one random frame in training, every frame in test.

    By itself, with a frozen encoder, it is the re-trained attacker of the paper; inside
    :class:`AdversarialRecognizer` it is the privacy network of the game.

    Args:
        backbone: any 2D backbone of the MODELS registry.
        cls_head: a :class:`PrivacyHead`.
        data_preprocessor: usually ``BDQDataPreprocessor``; in the game the parent has it.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        cls_head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        refuse_blending(self.data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.cls_head = MODELS.build(cls_head)
        if hasattr(self.data_preprocessor, 'one_frame'):
            self.data_preprocessor.one_frame = True

    def logits(self, frames_NCHW: Tensor) -> Tensor:
        """Frames (N, C, H, W) to logits (N, num_classes)."""
        return self.cls_head(self.backbone(frames_NCHW))

    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | SampleList:
        """Encoded clips (N, M, C, T, H, W) or (N, T, C, H, W) to losses, predictions or logits.

        Args:
            inputs: encoded and normalised clips.
            data_samples: carry ``gt_subject`` in training and receive ``pred_subject_score``, or
                ``gt_attributes`` and ``pred_attribute_score``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'`` (logits of all frames).
        """
        frames = frames_of(inputs)
        if mode == 'loss':
            index = int(torch.randint(frames.shape[1], ())) if frames.shape[1] > 1 else 0
            return self.cls_head.loss_by_feat(self.logits(frames[:, index]), data_samples)
        logits = self.logits(frames.flatten(0, 1))
        if mode == 'predict':
            return self.cls_head.predict_by_feat(logits, data_samples)
        if mode == 'tensor':
            return logits
        raise ValueError(f"mode is 'loss', 'predict' or 'tensor', got '{mode}'")
