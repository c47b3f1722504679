"""The head of a privacy network: who is it, or which attributes does the person have?"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn


def refuse_open_head(head: dict[str, Any], network: str) -> None:
    """Raise ValueError where a config leaves the number of classes open and nobody filled it in."""
    if head.get('num_classes', 1) is None:
        raise ValueError(
            f'{network}: cls_head.num_classes is not set; tools/train.py reads it off the data, '
            'other programs need it in the config'
        )


@MODELS.register_module()
class PrivacyHead(BaseHead):
    """Classify the subject of every frame, or its attributes.

    It reads ``gt_subject`` and writes ``pred_subject_score``; with ``attributes=True`` it reads
    the 0/1 vector ``gt_attributes`` and writes ``pred_attribute_score``. It never touches
    ``pred_score``: ``set_pred_score`` pins a sample's number of classes to that of the actions.

    Args:
        num_classes: number of subjects or attributes.
        in_channels: channels of the backbone's features.
        attributes: several labels at once (VISPR, PA-HMDB51), by binary cross-entropy.
        dropout_ratio: dropout before the linear layer.
        init_std: standard deviation of its initial weights.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        attributes: bool = False,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        init_cfg: dict | None = None,
    ) -> None:
        refuse_open_head(dict(num_classes=num_classes), 'this privacy network')
        loss = dict(type='BCELossWithLogits' if attributes else 'CrossEntropyLoss')
        super().__init__(num_classes, in_channels, loss, topk=(1,), init_cfg=init_cfg)
        self.attributes = attributes
        self.init_std = init_std
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Initialise the linear layer."""
        normal_init(self.fc_cls, std=self.init_std)

    def forward(self, feats: Tensor | tuple[Tensor, ...], **kwargs: object) -> Tensor:
        """Features (N, C, H, W) of frames to logits (N, num_classes)."""
        if isinstance(feats, tuple):
            feats = feats[-1]
        return self.fc_cls(self.dropout(self.pool(feats).flatten(1)))

    def loss_by_feat(self, cls_scores: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Logits (N, num_classes), one frame a sample, to the loss and the training accuracy.

        Raises:
            ValueError: a sample has no label, one outside the head's classes, or another number of
                attributes.
        """
        field = 'gt_attributes' if self.attributes else 'gt_subject'
        if field not in data_samples[0]:
            raise ValueError(
                f"the samples carry no '{field}': end the pipeline with dict(type="
                "'PackSubjectInputs')"
            )
        labels = torch.stack([sample.get(field).reshape(-1) for sample in data_samples])
        labels = labels.to(cls_scores.device)
        if self.attributes:
            if labels.shape != cls_scores.shape:
                raise ValueError(
                    f'the samples have {labels.shape[1]} attributes, the privacy head has '
                    f'num_classes={self.num_classes}; set num_classes={labels.shape[1]}'
                )
            labels = labels.to(cls_scores.dtype)
            hits = ((cls_scores > 0) == (labels > 0.5)).float()
        else:
            labels = labels.flatten()
            hits = (cls_scores.argmax(-1) == labels).float()
        name = 'attributes' if self.attributes else 'subject'
        try:
            loss = self.loss_cls(cls_scores, labels)
        except IndexError as error:  # a GPU would not say it: there CheckLabelsHook does
            raise ValueError(
                f'a subject label is outside the privacy head with num_classes={self.num_classes} '
                f'({error}); set num_classes to the number of subjects'
            ) from error
        return {f'loss_{name}': loss, f'{name}_acc': hits.mean()}

    def predict_by_feat(self, cls_scores: Tensor, data_samples: SampleList) -> SampleList:
        """Logits of all frames (N * T, num_classes) to each sample's probabilities (T, ...)."""
        frames = cls_scores.shape[0] // len(data_samples)
        logits = cls_scores.unflatten(0, (-1, frames))
        if self.attributes:
            scores, field = logits.sigmoid().mean(1), 'pred_attribute_score'
        else:
            scores, field = F.softmax(logits, dim=-1), 'pred_subject_score'
        for sample, score in zip(data_samples, scores, strict=True):
            sample.set_field(score, field)
        return data_samples
