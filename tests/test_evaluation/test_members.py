"""What is wrong with a panel is said before anything is trained."""

import pytest
import torch

from bdq_plugin.evaluation.members import check_panel

from .test_attackers.conftest import ACTIONS, PEOPLE

OUTPUTS = dict(identity=PEOPLE, action=ACTIONS)
TEMPLATE = dict(type='TemplateAttacker', families=['energy'])


def test_unknown_classes_and_weights_of_another_architecture_are_named(
    make_clips, tmp_path
) -> None:
    clips = make_clips(12)
    with pytest.raises(ValueError, match="no attacker 'Nobody': choose one of CellAttacker"):
        check_panel(dict(mine=dict(type='Nobody')), OUTPUTS, clips)
    torch.save(dict(weight=torch.zeros(3)), tmp_path / 'other.pt')
    wrong = dict(type='PretrainedAttacker', weights=str(tmp_path / 'other.pt'))
    with pytest.raises(
        ValueError, match="panel 'mine': .*does not hold the weights of MobileNetV2"
    ):
        check_panel(dict(mine=wrong), OUTPUTS, clips)


def test_who_lacks_a_file_is_left_out_but_somebody_must_remain(make_clips) -> None:
    clips, lacking = make_clips(12), dict(type='PretrainedAttacker')
    left_out = check_panel(dict(template=TEMPLATE, lacking=lacking), OUTPUTS, clips)
    assert list(left_out) == ['lacking'] and 'no file of pretrained weights' in left_out['lacking']
    with pytest.raises(ValueError, match='no attacker of the panel can take part'):
        check_panel(dict(lacking=lacking), OUTPUTS, clips)
