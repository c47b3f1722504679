from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from bdq_plugin.evaluation.attackers import ATTACKERS, Answer, Attacker
from bdq_plugin.evaluation.attackers.inversion import psnr, ssim
from bdq_plugin.evaluation.clips import Clips

from .conftest import FRAMES, PEOPLE, RECIPE

WITNESS = dict(type='FrameAttacker', backbone=FRAMES, frames_per_step=4, recipe=RECIPE)


def build(**options) -> Attacker:
    config = dict(type='InversionAttacker', num_outputs=PEOPLE, witness=WITNESS, channels=8)
    return ATTACKERS.build({**config, 'recipe': RECIPE, **options})


def test_psnr_by_hand() -> None:
    clear = torch.zeros(1, 3, 4, 4)
    assert psnr(clear + 0.1, clear) == pytest.approx(20, abs=1e-4)


def test_ssim_of_equal_and_of_inverted_frames() -> None:
    torch.manual_seed(0)
    clear = torch.rand(1, 3, 16, 16)
    assert ssim(clear, clear) == pytest.approx(1, abs=1e-5)
    assert ssim(1 - clear, clear) < 0
    noisy = (clear + 0.1 * torch.randn_like(clear)).clamp(0, 1)
    assert 0 < ssim(noisy, clear) < 1


def test_restores_what_is_there_and_not_what_is_not(make_clips: Callable) -> None:
    train, test = make_clips(36), make_clips(seed=1)

    def attack(values_of: Callable) -> Answer:
        def seen(clips: Clips) -> Clips:
            values = tuple(tuple(map(values_of, encodings)) for encodings in clips.values)
            return replace(clips, values=values)

        attacker = build(window=1, recipe=dict(RECIPE, max_epochs=24))
        attacker.check(seen(train))
        fit = attacker.fit(seen(train))
        assert fit.notes['witness_train_accuracy'] >= 0.9
        return attacker.answer(seen(test))

    plain, nothing = attack(lambda x: x), attack(torch.zeros_like)
    assert plain.log_probs.shape == (24, 2, PEOPLE) and plain.frame_hits.shape == (24,)
    assert (plain.log_probs[:, 0].argmax(1) == test.identities.numpy()).mean() >= 0.9
    assert plain.extras['psnr_db'] > plain.extras['mean_frame_psnr_db'] + 3
    assert plain.extras['psnr_db'] > nothing.extras['psnr_db'] + 3
    assert plain.extras['witness_on_clear_frames'] >= 0.9
    # Nothing to restore from: at best the mean frame, on which everyone is the same.
    assert nothing.extras['psnr_db'] == pytest.approx(nothing.extras['mean_frame_psnr_db'], abs=3)
    assert (nothing.log_probs[:, 0].argmax(1) == test.identities.numpy()).mean() <= 0.5


def test_a_difference_belongs_to_its_later_frame(make_clips: Callable) -> None:
    clips = make_clips(6)
    later = replace(clips, values=tuple(tuple(x[:, 1:] for x in xs) for xs in clips.values))
    attacker = build(recipe=dict(RECIPE, first_round=1, max_epochs=1))
    attacker.fit(later)
    x = later.values[0][0]
    assert attacker.restore(x).shape == x.shape
    assert attacker.answer(later).frame_hits.shape == (6,)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window=2), 'odd'),
        (dict(target='action'), 'identity'),
        (dict(channels=0), 'channels must be 1 or more'),
        (dict(recipe=dict(epochs=3)), 'unknown epochs'),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_refuses_clips_before_training(make_clips: Callable) -> None:
    clips = make_clips(4)
    small = replace(clips, values=tuple(tuple(x[..., :8] for x in xs) for xs in clips.values))
    with pytest.raises(ValueError, match='11 pixels a side'):
        build().check(small)
    with pytest.raises(ValueError, match='cannot read clips'):
        build(witness=dict(WITNESS, backbone=dict(FRAMES, in_channels=3))).check(clips)
