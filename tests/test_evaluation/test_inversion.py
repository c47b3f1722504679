from dataclasses import replace

import pytest
import torch

from bdq_plugin.evaluation.attackers import build_attacker
from bdq_plugin.evaluation.inversion import InversionAttacker, psnr, ssim
from bdq_plugin.evaluation.training import seed_everything

from .conftest import FRAMES, PEOPLE, RECIPE

WITNESS = dict(type='FrameAttacker', backbone=FRAMES, recipe=RECIPE)


def test_psnr_by_hand() -> None:
    clear = torch.zeros(2, 1, 3, 4, 4)
    assert psnr(clear + 0.1, clear) == pytest.approx(20, abs=1e-4)


def test_ssim_of_equal_and_of_inverted_frames() -> None:
    torch.manual_seed(0)
    clear = torch.rand(2, 1, 3, 16, 16)
    assert ssim(clear, clear) == pytest.approx(1, abs=1e-5)
    assert ssim(1 - clear, clear) < 0
    noisy = (clear + 0.1 * torch.randn_like(clear)).clamp(0, 1)
    assert 0 < ssim(noisy, clear) < 1


def test_restores_what_is_there_and_not_what_is_not(make_clips) -> None:
    train, test = make_clips(48), make_clips(seed=1)
    train, test = (
        replace(
            c,
            clear=c.clear.repeat_interleave(2, 3).repeat_interleave(2, 4),
            values=c.values.repeat_interleave(2, 3).repeat_interleave(2, 4),
        )
        for c in (train, test)
    )
    config = dict(
        type='InversionAttacker',
        witness=WITNESS,
        window=1,
        channels=8,
        recipe=dict(RECIPE, epochs=20),
    )

    def extras(values_of) -> dict[str, float]:
        seed_everything(0, 'inversion')
        network = build_attacker('inversion', config, dict(identity=PEOPLE), test.shape)
        attack = network.attack(*(replace(c, values=values_of(c.values)) for c in (train, test)))
        assert attack.test.shape == (24, 4, PEOPLE)
        return attack.extras

    plain, nothing = extras(lambda values: values), extras(torch.zeros_like)
    assert plain['psnr_db'] > nothing['psnr_db'] + 3
    assert plain['psnr_db'] > plain['mean_frame_psnr_db'] + 3
    assert nothing['psnr_db'] == pytest.approx(nothing['mean_frame_psnr_db'], abs=3)
    assert plain['witness_on_clear_frames'] >= 0.9


def test_a_difference_belongs_to_its_later_frame() -> None:
    arguments = dict(num_outputs=PEOPLE, witness=WITNESS)
    attacker = InversionAttacker(shape=(1, 3, 12, 12), window=3, channels=4, **arguments).eval()
    assert attacker.restore(torch.rand(2, 1, 3, 12, 12)).shape == (2, 1, 3, 12, 12)


@pytest.mark.parametrize(
    ('options', 'message'), [(dict(window=2), 'odd'), (dict(target='action'), 'identity')]
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InversionAttacker(num_outputs=2, shape=(1, 3, 12, 12), witness=WITNESS, **options)
