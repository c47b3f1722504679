"""Stock parts of the stack work where the pinned versions fail."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import ColorJitter
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


@pytest.mark.parametrize('hue', [(-0.5, -0.4), (0.4, 0.5), (-0.01, -0.01), (0.0, 0.0)])
def test_color_jitter_turns_the_hue_by_what_it_says(hue):
    """By NumPy 2's rules the stock sum overflows below zero, and wraps around above 255."""
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    jitter = ColorJitter(brightness=0.0, contrast=0.0, saturation=0.0, hue=hue)
    np.random.seed(0)
    turned = jitter(dict(imgs=list(images)))['imgs']
    np.random.seed(0)
    np.random.uniform(1, 1, 3)
    offset = int(np.random.uniform(*hue) * 255)
    for image, result in zip(images, turned, strict=True):
        assert result.dtype == np.uint8
        before, after = (
            cv2.cvtColor(x, cv2.COLOR_RGB2HSV)[..., 0].astype(int) for x in (image, result)
        )
        difference = (after - before - offset + 90) % 180 - 90
        assert np.abs(difference).max() <= 8  # the hue of a dark pixel is coarse
        assert np.median(np.abs(difference)) <= 1


def test_color_jitter_of_a_whole_pipeline():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    for _ in range(20):
        results = ColorJitter()(dict(imgs=list(images)))
        assert [img.shape for img in results['imgs']] == [(8, 8, 3)] * 4


@pytest.mark.parametrize('admitted', [True, False])
def test_a_newer_mmcv_is_admitted_from_onedl_alone(admitted):
    script = f"""
import importlib.metadata
import mmcv

stock = importlib.metadata.version

def version(name):
    if name != 'onedl-mmcv':
        return stock(name)
    if {admitted}:
        return '2.3.6'
    raise importlib.metadata.PackageNotFoundError(name)

mmcv.__version__, importlib.metadata.version = '2.3.6', version
import bdq_plugin
import mmaction
assert mmcv.__version__ == '2.3.6'
"""
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert (result.returncode == 0) == admitted, result.stderr
    assert admitted or 'MMCV==2.3.6 is used but incompatible' in result.stderr
