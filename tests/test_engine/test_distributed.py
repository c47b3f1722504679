"""Two gloo processes against one, through the launcher that users call."""

import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from mmengine.model import MMDistributedDataParallel

from bdq_plugin.engine import loops
from bdq_plugin.engine.launch import load_config, train
from bdq_plugin.engine.optim import PhaseOptimWrapperConstructor

from ..game import REPOSITORY, game_options
from ..processes import free_port
from ..test_models.test_adversarial_recognizer import config, data


def option_text(value):
    """A value as ``--cfg-options`` reads it."""
    return f'[{",".join(value)}]' if isinstance(value, list) else value


def launch(synthetic_kth, work_dir, processes):
    """tools/dist_train.sh on the CPU, the same global batch whatever the number of processes; one
    process is this one."""
    options = game_options(
        synthetic_kth,
        **{'train_dataloader.batch_size': 8 // processes, 'encoder.preset': 'bdq_hard'},
    )
    # What a single clip draws at random differs between processes: leave nothing to draw.
    pipeline = REPOSITORY / 'tests' / 'still_game.py'
    if processes == 1:
        train(load_config(str(pipeline), options=options, work_dir=str(work_dir)))
        return weights(work_dir)
    command = ['bash', 'tools/dist_train.sh', str(pipeline), str(processes)]
    command += ['--work-dir', str(work_dir), '--cfg-options']
    command += [f'{key}={option_text(value)}' for key, value in options.items()]
    environment = dict(
        os.environ,
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH'],
        OMP_NUM_THREADS='1',
        PORT=str(free_port()),
    )
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=900
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return weights(work_dir)


def weights(work_dir):
    return torch.load(work_dir / 'epoch_1.pth', weights_only=False)['state_dict']


@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU the launcher uses NCCL')
def test_two_processes_equal_one(synthetic_kth, tmp_path):
    one = launch(synthetic_kth, tmp_path / 'one', 1)
    two = launch(synthetic_kth, tmp_path / 'two', 2)
    assert one.keys() == two.keys()
    moved = 0
    for key, value in one.items():
        if 'running' in key or 'tracked' in key:
            continue
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=2e-5, msg=key)
        moved += 1
    assert moved > 20
    encoder = 'data_preprocessor.encoder.blur.log_sigma'
    assert abs(one[encoder] - torch.tensor(1.5).log()) > 1e-5


@pytest.fixture
def alone(tmp_path):
    """A process group of this process alone."""
    store = f'file://{tmp_path}/store'
    dist.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_only_gradients_of_who_learns_travel(alone, monkeypatch):
    sent, reduce = [], loops.allreduce_hook

    def counting(group, bucket):
        sent.append(bucket.buffer().numel())
        return reduce(group, bucket)

    monkeypatch.setattr(loops, 'allreduce_hook', counting)
    model = MODELS.build(config()).train()
    sgd = dict(optimizer=dict(type='SGD', lr=0.01))
    wrappers = PhaseOptimWrapperConstructor(dict(action=sgd, privacy=sgd))(model)
    wrapped = MMDistributedDataParallel(
        model, broadcast_buffers=False, find_unused_parameters=True, bucket_cap_mb=0.1
    )
    loops.reduce_what_learns(wrapped)
    size = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    action = size['data_preprocessor'] + size['recognizer']
    for phase, expected in (('action', action), ('privacy', size['privacy'])):
        sent.clear()
        loops.play(wrapped, data(), [(phase, 1)], wrappers)
        # One bucket may hold parameters of both.
        largest = max(p.numel() for p in model.parameters()) + 2**18 // 4
        assert expected <= sum(sent) < min(expected + largest, sum(size.values()))
