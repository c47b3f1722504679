"""The entropy that the encoder wants the privacy network to have."""

from __future__ import annotations

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class EntropyLoss(nn.Module):
    """Mean Shannon entropy of a softmax, in nats, times ``loss_weight``.

    The adversarial step minimises ``-alpha * H``, so its weight there is ``-alpha`` (the paper,
    section 4.2). Computed from logits by ``log_softmax``: no logarithm of a small number.

    Args:
        loss_weight: factor of the entropy.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, logits_NS: Tensor) -> Tensor:
        """Logits (N, S) to a scalar, between 0 and log(S) times the weight."""
        log_p = F.log_softmax(logits_NS.float(), dim=-1)
        return self.loss_weight * -(log_p.exp() * log_p).sum(-1).mean()
