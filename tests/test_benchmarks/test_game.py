"""The game's study: the published iteration is what it claims to be, and both can be measured."""

import pytest
import torch
from mmengine.config import Config
from torch._dynamo.utils import counters

from benchmarks import game
from benchmarks.harness import has_cpp_compiler

KEYS = {'median_ms', 'best_ms', 'speed_up', 'cpu_ms', 'speed_up_cpu'}
KEYS |= {'samples_s', 'peak_mib', 'memory_ratio'}


def moved_statistics(model):
    counts = {
        name: int(value)
        for name, value in model.state_dict().items()
        if name.endswith('num_batches_tracked')
    }
    assert len(counts) == 12
    return set(counts.values())


@pytest.mark.parametrize('wasteful', [True, False])
def test_published_iteration_teaches_all_three(wasteful):
    model, wrappers = game.build(game.QUICK, 'cpu')
    step = game.PublishedGame(model, wrappers, wasteful, wasteful)
    parts = (step.encoder.thresholds, *(net.backbone.layers[0].weight for net in model.privacy))
    parts += (model.recognizer.backbone.layers[0].weight,)
    before = [part.detach().clone() for part in parts]
    action_loss, privacy_loss = step(game.batch_of(game.QUICK))
    assert action_loss > 5 and 0 < privacy_loss < 5  # the released code adds 10 to the first
    assert not any(torch.equal(a, b) for a, b in zip(before, parts, strict=True))


def test_waste_shows_in_the_statistics():
    """Two passes in training mode move BatchNorm twice an iteration; ours moves it once."""
    model, wrappers = game.build(game.QUICK, 'cpu')
    game.PublishedGame(model, wrappers)(game.batch_of(game.QUICK))
    assert moved_statistics(model) == {2}
    model, wrappers = game.build(game.QUICK, 'cpu')
    game.play(model, game.batch_of(game.QUICK), game.ONE_STEP, wrappers)
    assert moved_statistics(model) == {1}


def test_compiled_game_equals_the_uncompiled_one():
    """Two iterations by torch's real compiler."""
    if not has_cpp_compiler():
        pytest.skip('torch.compile finds no C++ compiler')
    one_layer = dict(in_channels=1, channels=(96,), strides=(2,))  # each is compiled for itself
    cfg = Config.fromfile(game.CONFIGS / game.QUICK['config']).model
    parts = {name: cfg[name] for name in ('recognizer', 'privacy')}
    for part in parts.values():
        part['backbone'].update(one_layer)
    batch, found = game.batch_of(game.QUICK), []
    for compiled in (False, True):
        # Adam would divide gradients that are nothing but rounding by their own size.
        optimizer = dict(type='SGD', lr=0.01)
        model, wrappers = game.build(
            game.QUICK, 'cpu', optimizer=optimizer, compile=compiled, **parts
        )
        logs, graphs = [], []
        counters.clear()
        for seed in (0, 1):
            torch.manual_seed(seed)
            logs.append(game.play(model, batch, game.ONE_STEP, wrappers))
            graphs.append(counters['stats']['unique_graphs'])
        found.append((logs, model.state_dict()))
    # The action network's, and one of the privacy network's for each phase; none comes later.
    assert graphs == [3, 3]
    assert not counters['graph_break']
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_study_and_its_table():
    document = game.study(quick=True)
    assert document['device'] == 'cpu'
    assert document['machine']['threads'] == 1
    assert all(set(row) == KEYS for row in document['iterations'].values())
    assert document['iterations']['published']['memory_ratio'] == 1
    text = game.table(document)
    assert all(f'| {name} |' in text for name in document['iterations'])
    assert all(pair['optimisation'] in text for pair in document['optimisations'])
