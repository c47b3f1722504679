"""Stock parts of the stack work where the pinned versions fail."""

import importlib.metadata
import sys

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import ColorJitter
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from bdq_plugin import compat

from .processes import fresh


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


def test_a_config_is_formatted_once(monkeypatch, tmp_path):
    """Until it changes."""
    formatted = []

    def count(text, **_):
        formatted.append(text)
        return f'{text}# formatted\n', True

    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', count)
    cfg = Config(dict(a=1, b=dict(c=(2, 3))))
    first = cfg.pretty_text
    assert first.startswith('a=1\n') and first.endswith('# formatted\n')
    assert cfg.pretty_text == first and len(formatted) == 1
    cfg.b.c = 4
    assert 'c=4' in cfg.pretty_text and len(formatted) == 2
    cfg.dump(path := str(tmp_path / 'dumped.py'))
    assert Config.fromfile(path).b.c == 4 and len(formatted) == 2


def test_a_newer_mmcv_is_admitted_from_onedl():
    """In a process of its own: MMAction2 looks at the version when it is first imported."""
    script = """
import importlib.metadata
import mmcv

stock = importlib.metadata.version
importlib.metadata.version = lambda name: '2.3.6' if name == 'onedl-mmcv' else stock(name)
mmcv.__version__ = '2.3.6'
import bdq_plugin
import mmaction
assert mmcv.__version__ == '2.3.6'
"""
    fresh(script)


def test_a_newer_mmcv_from_elsewhere_is_not(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, 'version', version)
    monkeypatch.setattr(mmcv, '__version__', '2.3.6')
    monkeypatch.delitem(sys.modules, 'mmaction')  # its parts stay
    compat.admit_onedl_mmcv()
    with pytest.raises(AssertionError, match='MMCV==2.3.6 is used but incompatible'):
        importlib.import_module('mmaction')
