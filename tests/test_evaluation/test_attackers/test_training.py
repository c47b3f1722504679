import pytest
import torch
from torch import nn

from bdq_plugin.evaluation.attackers.training import (
    Recipe,
    Trial,
    augment,
    batches,
    classification_loss,
    seeded,
    train,
)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(epoch=3), 'unknown epoch; it has first_round'),
        (dict(first_round=0), 'first_round must be above 0'),
        (dict(max_epochs=10), 'max_epochs=10 ends before first_round=30'),
        (dict(batch_size=1), 'batch_size must be 2'),
        (dict(max_shift=-1), 'max_shift'),
    ],
)
def test_an_unknown_or_senseless_recipe_is_named(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.from_config(config)


def test_each_round_is_twice_as_long_and_all_fit() -> None:
    assert list(Recipe(first_round=30, max_epochs=450).rounds()) == [30, 60, 120, 240]
    assert list(Recipe(first_round=30, max_epochs=449).rounds()) == [30, 60, 120]


def run(trials: list[Trial], **recipe: int) -> tuple[int, bool]:
    """Epochs and convergence of a training whose trials end thus."""
    network, left = nn.Linear(1, 1), iter(trials)
    training = train(
        network,
        lambda index: network(torch.ones(len(index), 1)).mean(),
        4,
        Recipe(first_round=1, batch_size=4, **recipe),
        lambda: next(left),
        'test',
    )
    assert not network.training
    return training.epochs, training.converged


def test_it_stops_when_the_clips_are_learned() -> None:
    assert run([Trial(0.3, 2.0), Trial(0.91, 0.5), Trial(1.0, 0.1)]) == (3, True)


def test_it_stops_when_a_round_changes_nothing() -> None:
    assert run([Trial(0.3, 2.0), Trial(0.31, 1.99), Trial(1.0, 0.1)]) == (3, True)


@pytest.mark.parametrize('second', [Trial(0.31, 1.5), Trial(0.4, 2.0)])
def test_a_curve_that_moves_is_not_flat(second: Trial) -> None:
    assert run([Trial(0.3, 2.0), second, Trial(0.6, 1.0)], max_epochs=7) == (7, False)


def test_training_lowers_the_loss_and_leaves_frozen_parameters_alone() -> None:
    with seeded(0):
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2))
        network[1].requires_grad_(False)
        before = network[1].weight.clone()
        values = torch.randn(32, 4)
        targets = (values[:, 0] > 0).long()

        def loss_of(index: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(network(values[index]), targets[index])

        everything = torch.arange(32)
        start = loss_of(everything).item()
        recipe = Recipe(first_round=60, max_epochs=60, lr=0.05)
        train(network, loss_of, 32, recipe, lambda: Trial(0.0, 1.0), 'test')
    assert loss_of(everything).item() < 0.5 * start
    assert torch.equal(network[1].weight, before)


def test_augment_moves_all_frames_of_a_clip_alike_and_keeps_values() -> None:
    frame = torch.arange(48.0).reshape(1, 1, 1, 1, 8, 6)
    clips = frame.expand(16, 2, 1, 3, 8, 6)
    with seeded(0):
        moved = augment(clips, Recipe(max_shift=2))
    assert moved.shape == clips.shape
    assert (moved == moved[:, :1, :, :1]).all()
    assert set(moved.unique().tolist()) <= set(frame.unique().tolist())
    assert len({tuple(clip.flatten().tolist()) for clip in moved}) > 4
    assert (clips == frame).all()


def test_augment_without_flip_and_shift_is_the_identity() -> None:
    clips = torch.rand(4, 1, 1, 3, 8, 6)
    assert (augment(clips, Recipe(flip=False, max_shift=0)) == clips).all()


def test_batches_cover_all_but_a_last_single_clip() -> None:
    assert sorted(torch.cat(list(batches(10, 4))).tolist()) == list(range(10))
    assert sorted(len(batch) for batch in batches(9, 4)) == [4, 4]


def test_loss_of_labels_and_of_attributes() -> None:
    logits = torch.zeros(2, 3, 4)
    labels, attributes = torch.tensor([0, 1]), torch.ones(2, 4)
    assert classification_loss(logits, labels).item() == pytest.approx(1.3863, abs=1e-4)
    assert classification_loss(logits, attributes).item() == pytest.approx(0.6931, abs=1e-4)


def test_a_seed_is_ours_alone() -> None:
    state = torch.get_rng_state()
    draws = []
    for seed in (0, 1, 0):
        with seeded(seed):
            draws.append(torch.rand(()).item())
    assert draws[0] == draws[2] != draws[1]
    assert torch.equal(torch.get_rng_state(), state)
