"""Games whose secret is attributes, one of them or several, from the items to the figures."""

import json
import math

import pytest
import torch
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config

from bdq_plugin.engine.launch import load_config, train
from bdq_plugin.models import EntropyLoss
from tests.game import REPOSITORY, SUBJECTS, game_config, game_options

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
METRICS = [dict(type='AccMetric', prefix='action'), dict(type='AttributeMetric')]


@TRANSFORMS.register_module(force=True)
class TellAttributes(BaseTransform):
    """As the items of a data set with attributes say them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def transform(self, results: dict) -> dict:
        person = results['subject']
        results['attributes'] = [int(person < 2), int(person > 0), int(person == 1)][: self.count]
        return results


def with_attributes(cfg: Config, count: int) -> Config:
    for name in LOADERS:
        pipeline = cfg[name].dataset.pipeline
        cfg[name].dataset.pipeline = [
            *pipeline[:-1],
            dict(type='TellAttributes', count=count),
            pipeline[-1],
        ]
    cfg.val_evaluator = cfg.test_evaluator = METRICS
    return cfg


@pytest.mark.parametrize('count', [1, 3])
def test_a_game_with_attributes(synthetic_kth, tmp_path, count):
    head = {'model.privacy.cls_head.attributes': True, 'model.num_privacy_networks': 2}
    cfg = with_attributes(game_config(synthetic_kth, tmp_path, **head), count)
    cfg.model.privacy.cls_head.num_classes = count
    cfg.train_cfg.val_begin = cfg.train_cfg.val_interval = 1
    metrics = train(cfg)
    assert {'privacy/cmap', 'privacy/macro_f1', 'privacy/chance_cmap'} <= set(metrics)
    chance, cmap = metrics['privacy/chance_cmap'], metrics['privacy/cmap']
    assert chance - 1e-9 <= cmap <= 1 + 1e-9
    (file,) = tmp_path.glob('*/vis_data/scalars.json')
    lines = [line for line in map(json.loads, file.open()) if 'action/loss' in line]
    assert lines
    for line in lines:
        assert 0.1 < line['action/privacy_entropy'] <= math.log(2) + 1e-6
        assert line['privacy/loss_attributes'] > 0
        assert 0 <= line['privacy/attributes_acc'] <= 1
    assert 'privacy/cmap' in (tmp_path / 'metrics.json').read_text()


@pytest.mark.parametrize('count', [1, 3])
def test_stage_two_on_attributes(synthetic_kth, tmp_path, count):
    options = game_options(synthetic_kth)
    options = {k: v for k, v in options.items() if not k.startswith('model.privacy')}
    cfg = load_config(
        str(REPOSITORY / 'configs' / 'bdq_demo_privacy.py'),
        options=options,
        work_dir=str(tmp_path),
    )
    cfg = with_attributes(cfg, count)
    cfg.model.data_preprocessor.encoder = dict(preset='bdq')
    cfg.model.cls_head.update(num_classes=count, attributes=True)
    cfg.val_evaluator = cfg.test_evaluator = METRICS[1:]
    metrics = train(cfg)
    chance, cmap = metrics['privacy/chance_cmap'], metrics['privacy/cmap']
    assert chance - 1e-9 <= cmap <= 1 + 1e-9


@pytest.mark.parametrize('count', [1, 3])
def test_the_entropy_of_attributes_moves_the_encoder(synthetic_kth, tmp_path, count):
    """A softmax over one attribute is certain of it, and has no gradient."""
    cfg = game_config(synthetic_kth, tmp_path, **{'model.privacy.cls_head.attributes': True})
    cfg.model.privacy.cls_head.update(num_classes=count, init_std=1.0)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train().set_phase('action')
    clips = torch.randint(0, 256, (4, 1, 1, 8, 48, 64)).to(torch.uint8)
    encoded = model.data_preprocessor.encode(clips.flatten(0, 1), True).unflatten(0, (4, 1))
    entropy = model.entropy(model.privacy[0].logits(encoded[:, 0, :, 0]))
    thresholds = model.data_preprocessor.encoder.quantize.thresholds
    (gradient,) = torch.autograd.grad(entropy, thresholds)
    assert gradient.abs().sum() > 0


class TestEntropyOfAttributes:
    def test_uncertainty_is_log_two_whatever_their_number(self):
        for count in (1, 20):
            entropy = EntropyLoss(attributes=True)(torch.zeros(3, count))
            assert entropy.item() == pytest.approx(math.log(2))

    def test_known_value_and_weight(self):
        p = torch.tensor([[0.9, 0.5], [0.2, 0.01]], dtype=torch.float64)
        expected = -(p * p.log() + (1 - p) * (1 - p).log()).mean().item()
        entropy = EntropyLoss(-2.0, attributes=True)(p.logit())
        assert entropy.item() == pytest.approx(-2 * expected, rel=1e-5)

    def test_certainty_is_zero_even_for_huge_logits(self):
        logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
        entropy = EntropyLoss(attributes=True)(logits)
        entropy.backward()
        assert entropy.item() == pytest.approx(0)
        assert torch.isfinite(logits.grad).all()


def test_subjects_beside_attributes_are_still_packed(synthetic_kth, tmp_path):
    cfg = with_attributes(game_config(synthetic_kth, tmp_path), 3)
    sample = DATASETS.build(cfg.val_dataloader.dataset)[0]['data_samples']
    assert sample.gt_attributes.dtype == torch.float32
    assert sample.gt_attributes.shape == (3,)
    person = int(sample.gt_subject)
    assert person in range(len(SUBJECTS))
    assert sample.gt_attributes.tolist() == [person < 2, person > 0, person == 1]
