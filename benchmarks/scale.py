"""Several processes against one: the same weights, the time, and what travels between them.

    python -m benchmarks.run scale

Processes on the CPU exchange gradients over gloo. All sizes live in the same processes and take
turns: two play on the halves of the batch that one plays on alone, and the others wait. So that
the weights can be compared there is no dropout, BatchNorm keeps its statistics, all draw the same
frame, and the optimiser is SGD (Adam's first steps turn rounding errors into whole steps).
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.modules.batchnorm import _BatchNorm

from bdq_plugin import markdown
from bdq_plugin.engine import loops

from .game import LARGE_ON_CPU, ONE_STEP, SMALL, batch_of, build
from .harness import compare, machine, time_in_turns

SIZES = (1, 2, 4)
QUICK = dict(config='bdq_ixmas_cpu.py', batch=8, clip=(1, 1, 4, 16, 16))
# The paper's networks on clips so small that the gradients' way is what takes time.
LARGE = LARGE_ON_CPU
SGD = dict(type='SGD', lr=0.05, momentum=0.9)
# What is assumed, not measured: bytes a second that one GPU (in a machine) or one machine (between
# machines) sends while it receives as much.
ASSUMED_LINKS = {
    (4, 'one machine, PCIe 4.0 x16'): 20e9,
    (4, 'one machine, NVLink'): 200e9,
    (32, 'eight machines, 100 Gbit/s'): 10e9,
    (32, 'eight machines, 400 Gbit/s'): 40e9,
}


def settle(model: nn.Module) -> nn.Module:
    """Take out what differs between one process and several: dropout and batch statistics."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, _BatchNorm):
            module.eval()
            module.train = lambda mode=True, module=module: module
    return model


def share(batch: dict[str, Any], rank: int, size: int) -> dict[str, Any]:
    """The part of a batch that one of ``size`` processes works on."""
    part = len(batch['inputs']) // size
    return {key: values[rank * part : (rank + 1) * part] for key, values in batch.items()}


class Player:
    """A game that ``size`` processes play together; the others only wait."""

    def __init__(
        self,
        setting: dict[str, Any],
        size: int,
        *,
        phases: tuple = ONE_STEP,
        find_unused: bool = True,
        reduce: Callable[[nn.Module], None] = loops.reduce_what_learns,
    ) -> None:
        self.rank, self.size, self.phases, self.seed = dist.get_rank(), size, phases, 0
        group = dist.new_group(list(range(size)))
        if self.rank >= size:
            return
        self.model, self.wrappers = build(setting, 'cpu', optimizer=SGD)
        settle(self.model)
        if (
            len(phases) == 1
        ):  # the other player is no part of this game, so DDP must not wait for it
            self.model.privacy.requires_grad_(False)
        self.batch = share(batch_of(setting), self.rank, size)
        self.wrapped = self.model
        if size > 1:
            self.wrapped = MMDistributedDataParallel(
                self.model,
                process_group=group,
                broadcast_buffers=False,
                find_unused_parameters=find_unused,
            )
            reduce(self.wrapped)

    def __call__(self) -> None:
        """One iteration, from the moment when all are ready to that when all are done."""
        dist.barrier()
        if self.rank < self.size:
            self.seed += 1
            torch.manual_seed(self.seed)
            loops.play(self.wrapped, self.batch, self.phases, self.wrappers)
        dist.barrier()


def reduce_all(model: nn.Module) -> None:
    """What DDP does by itself: all gradients travel, those of the held player as zeros."""

    def hook(state, bucket):
        return loops.allreduce_hook(state, bucket)

    model.register_comm_hook(model.process_group, hook)


@contextmanager
def counted_bytes():
    """Count the bytes of the gradients that this process gives to the others."""
    count = [0]

    def hook(state, bucket):
        buffer = bucket.buffer()
        count[0] += buffer.numel() * buffer.element_size()
        return allreduce_hook(state, bucket)

    with mock.patch.object(loops, 'allreduce_hook', hook):
        yield count


def bytes_of(player: Player) -> int:
    """Bytes of gradients that one iteration sends through the reduction."""
    with counted_bytes() as count:
        player()
    return count[0]


def distance(first: nn.Module, second: nn.Module) -> float:
    """Distance of two models' weights as a share of the second one's length, both as one vector."""
    a, b = (
        torch.cat([p.detach().flatten() for p in model.parameters()]) for model in (first, second)
    )
    return float(f'{((a - b).norm() / b.norm()).item():.1e}')


def sizes(setting: dict[str, Any], iterations: int) -> dict[str, dict[str, float]]:
    """Time of each size, and how far its weights are from those of one process in the end."""
    players = {str(size): Player(setting, size) for size in SIZES}
    found = compare(time_in_turns(players, iterations), '1')
    if dist.get_rank() == 0:
        one = players['1'].model
        start = build(setting, 'cpu', optimizer=SGD)[0]
        for name, player in players.items():
            found[name]['weights_apart'] = distance(player.model, one)
            found[name]['weights_moved'] = distance(player.model, start)
    return found


def find_unused(setting: dict[str, Any], iterations: int) -> dict[str, dict[str, float]]:
    """Time of two processes that play the action phase alone, which leaves nothing unused."""
    action = (('action', 1),)
    players = {
        name: Player(setting, 2, phases=action, find_unused=switch)
        for name, switch in (('off', False), ('on', True))
    }
    return compare(time_in_turns(players, iterations), 'off')


def reduction(setting: dict[str, Any], iterations: int) -> dict[str, dict[str, float]]:
    """Time and bytes of two processes with large networks, reducing everything or what learns."""
    players = {
        'all gradients': Player(setting, 2, reduce=reduce_all),
        'of who learns': Player(setting, 2),
    }
    sent = {name: bytes_of(player) for name, player in players.items()}
    found = compare(time_in_turns(players, iterations), 'all gradients')
    return {name: dict(row, bytes=sent[name]) for name, row in found.items()}


def measure(quick: bool) -> dict[str, Any]:
    """What every process does; the figures of the first one count."""
    if quick:
        return dict(processes=sizes(QUICK, 2))
    return dict(
        processes=sizes(SMALL, 8),
        find_unused=find_unused(SMALL, 8),
        reduction=reduction(LARGE, 4),
    )


def _work(rank: int, store: str, pipe: Any, quick: bool) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=SIZES[-1])
    try:
        result = measure(quick)
    except Exception as error:
        pipe.send(f'process {rank}: {error}')
        raise
    if rank == 0:
        pipe.send(result)
    dist.destroy_process_group()


def run_processes(quick: bool) -> dict[str, Any]:
    """Start the processes, wait for them, and hand over what the first one found.

    Raises:
        RuntimeError: a process failed.
    """
    # A server imports everything once; the processes fork from it.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    pipe, far = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / 'store')
        processes = [
            context.Process(target=_work, args=(rank, store, far, quick), daemon=True)
            for rank in range(SIZES[-1])
        ]
        for process in processes:
            process.start()
        far.close()
        try:
            result = pipe.recv()
        except EOFError:
            result = 'the processes ended without a result'
        if isinstance(result, str):
            for process in processes:
                process.terminate()
            raise RuntimeError(result)
        for process in processes:
            process.join()
    return result


def estimate(sent: int) -> list[dict[str, Any]]:
    """Time on the way and what it allows, by formula: an estimate, not a measurement.

    A ring sends ``2 (n - 1) / n`` of the bytes through each link. With nothing hidden behind the
    computation, an iteration of t on one GPU runs at ``t / (t + way)`` of full speed.
    """
    rows = []
    for (gpus, link), speed in ASSUMED_LINKS.items():
        way_ms = 1e3 * 2 * (gpus - 1) / gpus * sent / speed
        rows.append(
            {
                'gpus': gpus,
                'link': link,
                'assumed_gb_s': speed / 1e9,
                'way_ms': round(way_ms, 1),
                'iteration_ms_for_90_percent': round(9 * way_ms, 0),
            }
        )
    return rows


def study(quick: bool = False) -> dict[str, Any]:
    """Measure; ``quick`` compares the weights alone, on tiny clips.

    Returns:
        The machine; each number of processes with its time, efficiency (the speed-up as a share of
        what so many cores could give) and weights; the cost of ``find_unused_parameters``; the
        bytes that travel; and the estimate for GPUs.
    """
    here = dict(machine(), threads=1)
    found = run_processes(quick)
    for name, row in found['processes'].items():
        row['efficiency'] = round(row['speed_up'] / min(int(name), here['cores']), 2)
    document = {
        'machine': here,
        'setting': QUICK if quick else SMALL,
        'large': LARGE,
        **found,
    }
    if not quick:
        document['estimate'] = estimate(found['reduction']['of who learns']['bytes'])
    return document


def table(document: dict[str, Any]) -> str:
    """The study in Markdown: what was measured, then the estimate."""
    where, setting = document['machine'], document['setting']
    parts = [
        markdown.table(
            ['processes', 'ms, median', 'speed-up', 'efficiency', 'weights apart', 'and moved'],
            [
                [
                    name,
                    row['median_ms'],
                    row['speed_up'],
                    row['efficiency'],
                    row['weights_apart'],
                    row['weights_moved'],
                ]
                for name, row in document['processes'].items()
            ],
        ),
        f'{where["cpu"]}, {where["cores"]} cores, one thread a process, gloo, load '
        f'{where["load_average_at_start"]} before it; {setting["config"]}, {setting["batch"]} '
        f'clips {tuple(setting["clip"][1:])} in all. Apart: distance of all weights '
        'from those of one process, as a share of their length; moved: the same from the start. '
        'Efficiency: speed-up over the smaller of processes and cores.',
    ]
    if 'estimate' in document:
        parts += _tables_of_the_whole_study(document)
    return '\n\n'.join(parts)


def _tables_of_the_whole_study(document: dict[str, Any]) -> list[str]:
    large = document['large']
    cost = [
        [name, row['median_ms'], row['speed_up']] for name, row in document['find_unused'].items()
    ]
    sent = [
        [name, round(row['bytes'] / 1e6, 1), row['median_ms'], row['speed_up']]
        for name, row in document['reduction'].items()
    ]
    return [
        markdown.table(['find_unused_parameters', 'ms, median', 'speed-up'], cost),
        'Two processes, the action phase alone, where nothing is unused.',
        markdown.table(['reduced', 'MB an iteration', 'ms, median', 'speed-up'], sent),
        f'Two processes, networks of {large["config"]}, {large["batch"]} clips '
        f'{tuple(large["clip"][1:])}.',
        '**Estimate, not measured**:',
        markdown.table(
            ['GPUs', 'link', 'assumed GB/s', 'on the way, ms', 'iteration for 90 %, ms'],
            [list(row.values()) for row in document['estimate']],
        ),
    ]
