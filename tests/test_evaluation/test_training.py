import pytest
import torch
from torch import nn

from bdq_plugin.evaluation.training import (
    Recipe,
    augment,
    batches,
    classification_loss,
    fit,
    seed_everything,
)


def test_unknown_or_senseless_recipe_is_named() -> None:
    with pytest.raises(ValueError, match='unknown epoch; it has epochs'):
        Recipe.from_config(dict(epoch=3))
    with pytest.raises(ValueError, match='epochs must be above 0'):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match='max_shift'):
        Recipe(max_shift=-1)


def test_augment_moves_all_frames_of_a_clip_alike_and_keeps_values() -> None:
    torch.manual_seed(0)
    frame = torch.arange(48.0).reshape(1, 1, 1, 8, 6)
    clips = frame.expand(16, 1, 3, 8, 6)
    moved = augment(clips, Recipe(max_shift=2))
    assert moved.shape == clips.shape
    assert (moved == moved[:, :, :1]).all()
    assert set(moved.unique().tolist()) <= set(frame.unique().tolist())
    assert len({tuple(clip.flatten().tolist()) for clip in moved}) > 4
    assert (clips == frame).all()


def test_augment_without_flip_and_shift_is_the_identity() -> None:
    clips = torch.rand(4, 1, 3, 8, 6)
    assert (augment(clips, Recipe(flip=False, max_shift=0)) == clips).all()


def test_batches_cover_all_but_a_last_single_clip() -> None:
    assert sorted(torch.cat(list(batches(10, 4))).tolist()) == list(range(10))
    assert sorted(len(batch) for batch in batches(9, 4)) == [4, 4]


def test_loss_of_labels_and_of_attributes() -> None:
    logits = torch.zeros(2, 3, 4)
    assert classification_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(
        1.3863, abs=1e-4
    )
    assert classification_loss(logits, torch.ones(2, 4)).item() == pytest.approx(0.6931, abs=1e-4)


def test_fit_lowers_the_loss_and_leaves_frozen_parameters_alone() -> None:
    seed_everything(0, 'test')
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2))
    network[1].requires_grad_(False)
    before = network[1].weight.clone()
    values = torch.randn(32, 1, 1, 2, 2)
    targets = (values.flatten(1)[:, 0] > 0).long()

    def step(clips: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(network(clips), labels)

    start = step(values, targets).item()
    fit(network, step, values, targets, Recipe(epochs=20, lr=0.05, flip=False, max_shift=0))
    assert step(values, targets).item() < 0.5 * start
    assert torch.equal(network[1].weight, before)
    assert not network.training


def test_seed_depends_on_seed_and_name() -> None:
    draws = set()
    for seed, name in ((0, 'a'), (1, 'a'), (0, 'b'), (0, 'a')):
        seed_everything(seed, name)
        draws.add(torch.rand(()).item())
    assert len(draws) == 3
