"""Stock parts of the stack work where the pinned versions fail."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from bdq_plugin import compat


@pytest.mark.parametrize('kind', ['I3DHead', 'SlowFastHead', 'TSNHead'])
def test_stock_heads_learn_in_bfloat16(kind):
    init_default_scope('mmaction')
    compat.apply()  # a second time: the mend is made once
    head = MODELS.build(dict(type=kind, num_classes=3, in_channels=4, dropout_ratio=0.0))
    feats = torch.rand(2, 4, 1, 3, 3)
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 2)]
    if kind == 'SlowFastHead':
        feats = feats[:, :2], feats[:, 2:]
    options = dict(num_segs=1) if kind == 'TSNHead' else {}
    feats = feats[:, :, 0] if kind == 'TSNHead' else feats
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(feats, samples, **options)
    losses['loss_cls'].backward()
    assert losses['loss_cls'].dtype == torch.float32
    assert 0 <= losses['top1_acc'] <= 1
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())
