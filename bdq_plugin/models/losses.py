"""The entropy that the encoder wants the privacy networks to have."""

from __future__ import annotations

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class EntropyLoss(nn.Module):
    """Mean Shannon entropy of what a privacy network says, in nats, times ``loss_weight``.

    Of people, that of the softmax. Of attributes, which are present or not each for itself, the
    mean of their binary entropies, so that alpha weighs one attribute as it does twenty.

    The adversarial step minimises ``-alpha * H``, so its weight there is ``-alpha`` (the paper,
    section 4.2). Computed from logits: no logarithm of a small number.

    Args:
        loss_weight: factor of the entropy.
        attributes: the logits are those of attributes.
    """

    def __init__(self, loss_weight: float = 1.0, *, attributes: bool = False) -> None:
        super().__init__()
        self.loss_weight, self.attributes = loss_weight, attributes

    def forward(self, logits_NS: Tensor) -> Tensor:
        """Logits (N, S) to a scalar from 0 to log(S), of attributes to log(2), times the weight."""
        logits_NS = logits_NS.float()
        if self.attributes:
            entropy = (F.softplus(logits_NS) - logits_NS * logits_NS.sigmoid()).mean()
        else:
            log_p = F.log_softmax(logits_NS, dim=-1)
            entropy = -(log_p.exp() * log_p).sum(-1).mean()
        return self.loss_weight * entropy
