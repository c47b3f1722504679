"""Every attacker of every panel that is shipped can read the clips it is meant for."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from bdq_plugin.evaluation.attackers import ATTACKERS
from bdq_plugin.evaluation.clips import Clips

PANELS = Path(__file__).parents[3] / 'configs' / 'audit'


def clips(channels: int, height: int, width: int) -> Clips:
    """Two clips of zeros, 15 frames."""
    value = (torch.zeros(channels, 15, height, width, dtype=torch.float16),)
    clear = (torch.zeros(channels, 16, height, width, dtype=torch.uint8),)
    two, labels = ('a', 'b'), torch.tensor([0, 1])
    return Clips((value,) * 2, (clear,) * 2, labels, labels, two, two, two, two, labels + 16)


@pytest.mark.parametrize(
    ('panel', 'shape'),
    [
        ('quick', (1, 64, 48)),
        ('cells', (1, 64, 48)),
        ('witnesses', (1, 64, 48)),
        ('full', (1, 64, 48)),
        ('r50', (3, 64, 48)),
    ],
)
def test_every_attacker_of_a_panel_can_read_its_clips(
    panel: str, shape: tuple[int, int, int]
) -> None:
    config = Config.fromfile(PANELS / f'{panel}.py').panel
    checked = []
    for name, attacker in config.items():
        if ATTACKERS.get(attacker['type']).missing(attacker) is None:
            ATTACKERS.build(dict(attacker, num_outputs=10)).check(clips(*shape))
            checked.append(name)
    left_out = {'imagenet', 'pretrained'} if panel == 'full' else set()
    assert set(checked) == set(config) - left_out
