"""Pre-trained backbones: loaded for certain, or an error."""

import pytest
import torch
from mmengine.hooks import Hook

from bdq_plugin.engine.launch import build_runner
from bdq_plugin.engine.loops import unwrap
from bdq_plugin.models import SmallConv3d

from ..game import game_config


class Probe(Hook):
    """Keeps the backbone as training finds it."""

    priority = 'VERY_LOW'

    def before_train_epoch(self, runner):
        self.state = {
            name: value.clone()
            for name, value in unwrap(runner.model).recognizer.backbone.state_dict().items()
        }


@pytest.mark.parametrize('prefix', ['backbone.', ''])
def test_weights_of_a_recognizer_or_a_backbone(synthetic_kth, tmp_path, prefix):
    backbone = SmallConv3d(1)
    state = {prefix + k: v for k, v in backbone.state_dict().items()}
    torch.save(dict(state_dict={**state, 'cls_head.w': torch.ones(1)}), tmp_path / 'w.pth')
    cfg = game_config(
        synthetic_kth, tmp_path / 'run', **{'pretrained.action': str(tmp_path / 'w.pth')}
    )
    runner, probe = build_runner(cfg), Probe()
    runner.register_hook(probe)
    runner.train()
    for name, value in backbone.state_dict().items():
        assert torch.equal(probe.state[name], value)


def test_a_checkpoint_that_fits_nothing_is_an_error(synthetic_kth, tmp_path):
    torch.save(dict(state_dict={'module.x': torch.ones(1)}), tmp_path / 'w.pth')
    cfg = game_config(
        synthetic_kth, tmp_path / 'run', **{'pretrained.action': str(tmp_path / 'w.pth')}
    )
    with pytest.raises(ValueError, match='fits only 0 of 36 tensors of recognizer.backbone'):
        build_runner(cfg).train()
