"""The published iteration of the game against ours: same networks, same batch, same machine.

    python -m benchmarks.run game

On the CPU the networks are those of ``configs/bdq_ixmas_cpu.py``, on a GPU those of
``configs/bdq_kth.py``; the command is the same. Memory is measured first, before any step has left
free memory behind that a later one could use unseen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from bdq_plugin.engine.loops import play
from bdq_plugin.engine.optim import PhaseOptimWrapperConstructor
from bdq_plugin.models import AdversarialRecognizer, BDQDataPreprocessor
from bdq_plugin.models.losses import EntropyLoss

from .harness import (
    compare,
    forget_compiled,
    has_cpp_compiler,
    machine,
    peak_memory_mib,
    rows_to_table,
    seconds_of,
    time_in_turns,
)
from .published import PublishedEncoder

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
ONE_STEP = (('action', 1), ('privacy', 1))
FOUR_STEPS = (('action', 1), ('privacy', 4))
SMALL = dict(config='bdq_ixmas_cpu.py', batch=16, clip=(1, 1, 16, 64, 48))
LARGE = dict(config='bdq_kth.py', batch=16, clip=(1, 3, 32, 224, 224))
# ResNet-50s on a CPU, for what small networks cannot show.
LARGE_ON_CPU = dict(config='bdq_kth.py', batch=2, clip=(1, 3, 8, 32, 32))
QUICK = dict(config='bdq_ixmas_cpu.py', batch=2, clip=(1, 1, 4, 16, 16))
TARGETS = {'cpu': dict(speed_up=1.25), 'cuda': dict(speed_up=2.5, memory_ratio=0.5)}

Step = Callable[[], object]
Phases = Sequence[tuple[str, int]]


class Pair(NamedTuple):
    """An optimisation: how to build an iteration without it and with it, and what became of it."""

    name: str
    where: str
    control: Callable[[], Step]
    test: Callable[[], Step]
    decision: str


class PublishedGame:
    """The training iteration of the released code, with the networks of a model of ours.

    Each of its two passes encodes the whole clip and runs both networks in training mode; the
    second drops what the action network says, and carries a gradient through the encoder that
    nobody reads. The two switches take one waste away each, to see what it costs.

    Args:
        model: whose networks, optimisers and preprocessing are used.
        optimizers: those of the model, one a phase.
        unused_forward: run the action network in the privacy step.
        unused_gradients: compute gradients of what the step does not change.
    """

    def __init__(
        self,
        model: AdversarialRecognizer,
        optimizers: OptimWrapperDict,
        unused_forward: bool = True,
        unused_gradients: bool = True,
    ) -> None:
        self.model = model.train()
        self.encoder = PublishedEncoder().to(next(model.parameters()).device)
        self.action = optimizers['action'].optimizer
        self.action.add_param_group(dict(params=[self.encoder.thresholds], weight_decay=0.0))
        self.privacy = optimizers['privacy'].optimizer
        self.unused_forward, self.unused_gradients = unused_forward, unused_gradients

    def __call__(self, data_batch: dict[str, Any]) -> tuple[float, float]:
        """Play on one batch; the losses of the two steps."""
        prepare, device = self.model.data_preprocessor, self.encoder.thresholds.device
        clips = torch.stack(data_batch['inputs']).to(device)[:, 0].float() / 255
        clips = (clips - prepare.mean) / prepare.std
        samples = data_batch['data_samples']
        actions = torch.cat([sample.gt_label for sample in samples]).to(device)
        subjects = torch.cat([sample.gt_subject for sample in samples]).to(device)
        frame = int(torch.randint(clips.shape[2] - 1, ()))

        self.action.zero_grad()
        self._hold(self.model.privacy)
        encoded = self.encoder(clips)
        entropy = EntropyLoss()(self._privacy_logits(encoded, frame))
        loss = F.cross_entropy(self._action_logits(encoded), actions)
        loss = loss - self.model.alpha * entropy + 10
        loss.backward()
        self.action.step()

        self.privacy.zero_grad()
        self._hold(self.encoder.thresholds, self.model.recognizer)
        encoded = self.encoder(clips)
        if self.unused_forward:
            unused = self._action_logits(encoded)  # noqa: F841  (kept alive, as in the released code)
        privacy_loss = F.cross_entropy(self._privacy_logits(encoded, frame), subjects)
        privacy_loss.backward()
        self.privacy.step()
        return loss.item(), privacy_loss.item()

    def _hold(self, *held: nn.Module | nn.Parameter) -> None:
        """Where nothing is wasted, take the gradient from those that the step does not change."""
        for part in (self.encoder.thresholds, self.model.recognizer, self.model.privacy):
            is_held = any(part is other for other in held)
            part.requires_grad_(self.unused_gradients or not is_held)

    def _action_logits(self, encoded: Tensor) -> Tensor:
        recognizer = self.model.recognizer
        return recognizer.cls_head(recognizer.backbone(encoded))

    def _privacy_logits(self, encoded: Tensor, frame: int) -> Tensor:
        return self.model.privacy[0].logits(encoded[:, :, frame])


class WholeClipPreprocessor(BDQDataPreprocessor):
    """Encodes every frame to choose one of them, whatever the encoder needs: a control."""

    def _encode_one_frame(self, frames_NCTHW: Tensor, staged: object) -> Tensor:
        with torch.no_grad():
            encoded = self._normalize(self.encoder(self.prepare(frames_NCTHW)))
        index = int(torch.randint(encoded.shape[2], ()))
        return encoded[:, :, index : index + 1]


def build(
    setting: dict[str, Any],
    device: str,
    amp: bool = False,
    optimizer: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[AdversarialRecognizer, OptimWrapperDict]:
    """The model and the optimisers of a config, without pre-trained weights.

    Args:
        setting: with ``config``, a file name.
        device: where to.
        amp: bfloat16 for the networks, by MMEngine's wrapper (GPU).
        optimizer: in place of the config's.
        **options: of the model.
    """
    init_default_scope('mmaction')
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / setting['config'])
    model = MODELS.build({**cfg.model, **options}).to(device).train()
    wrappers = {k: dict(v) for k, v in cfg.optim_wrapper.items() if k != 'constructor'}
    for wrapper in wrappers.values():
        wrapper['optimizer'] = dict(optimizer or wrapper['optimizer'])
        if amp:
            wrapper.update(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
    return model, PhaseOptimWrapperConstructor(wrappers)(model)


def batch_of(setting: dict[str, Any], classes: int = 6) -> dict[str, Any]:
    """Noise in the shape of a data loader's batch."""
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for index in range(setting['batch']):
        sample = ActionDataSample().set_gt_label(index % classes)
        sample.set_field(torch.tensor([index % classes]), 'gt_subject')
        samples.append(sample)
        clip = torch.randint(0, 256, setting['clip'], generator=generator)
        inputs.append(clip.to(torch.uint8))
    return dict(inputs=inputs, data_samples=samples)


def published(setting: dict[str, Any], device: str, **switches: bool) -> Step:
    """The published iteration, ready to be called."""
    return partial(PublishedGame(*build(setting, device), **switches), batch_of(setting))


def ours(
    setting: dict[str, Any],
    device: str,
    phases: Phases = ONE_STEP,
    amp: bool = False,
    **options: Any,
) -> Step:
    """An iteration of ``AdversarialTrainLoop``, ready to be called."""
    model, wrappers = build(setting, device, amp, **options)
    return partial(play, model, batch_of(setting), phases, wrappers)


def unstaged(setting: dict[str, Any], device: str, phases: Phases, **options: Any) -> Step:
    """The same, but each step stages and encodes the batch for itself."""
    model, wrappers = build(setting, device, **options)
    batch = batch_of(setting)

    def step() -> None:
        for name, steps in phases:
            model.set_phase(name)
            for _ in range(steps):
                model.train_step(batch, wrappers[name])

    return step


def one_frame(setting: dict[str, Any], device: str, kind: type[BDQDataPreprocessor]) -> Step:
    """Privacy steps with a preprocessor of this kind and an encoder of a fixed range."""
    cfg = dict(Config.fromfile(CONFIGS / setting['config']).model.data_preprocessor)
    cfg.update(encoder='bdq_hard')
    cfg.pop('type')
    return unstaged(setting, device, FOUR_STEPS, data_preprocessor=kind(**cfg))


def in_bfloat16(step: Step, device: str) -> Step:
    """A step under autocast (MMEngine's AmpOptimWrapper wants a GPU)."""

    def cast() -> None:
        with torch.autocast(device, torch.bfloat16):
            step()

    return cast


def peak_mib(step: Step, device: str) -> float:
    """MiB that an iteration adds at its peak."""
    if not device.startswith('cuda'):
        return peak_memory_mib(step)
    step()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)


def iterations(setting: dict[str, Any], device: str) -> dict[str, Callable[[], Step]]:
    """How to build what is compared, from the published iteration to ours."""
    found = {
        'published': partial(published, setting, device),
        'without the unused forward pass': partial(
            published, setting, device, unused_forward=False
        ),
        'and without unused gradients': partial(
            published, setting, device, unused_forward=False, unused_gradients=False
        ),
        'ours': partial(ours, setting, device),
    }
    if device == 'cuda':
        found |= {
            'ours, bf16': partial(ours, setting, device, amp=True),
            'ours, bf16, channels-last': partial(
                ours, setting, device, amp=True, channels_last=True
            ),
            'ours, bf16, channels-last, compiled': partial(
                ours, setting, device, amp=True, channels_last=True, compile=True
            ),
        }
    return found


class Clocked:
    """A step that notes the processor time it takes, which other programs lengthen least."""

    def __init__(self, step: Step) -> None:
        self.step, self.seconds = step, []

    def __call__(self) -> None:
        start = time.process_time()
        self.step()
        self.seconds.append(time.process_time() - start)


def measure_in_turns(
    steps: dict[str, Step], rounds: int, device: str, reference: str
) -> dict[str, dict[str, float]]:
    """Times of each step, and its speed-up by the clock and, on the CPU, by processor time."""
    clocked = {name: Clocked(step) for name, step in steps.items()}
    found = compare(time_in_turns(clocked, rounds, device), reference)
    if device == 'cpu':
        by_processor = {name: step.seconds[-rounds:] for name, step in clocked.items()}
        for name, row in compare(by_processor, reference).items():
            found[name]['cpu_ms'] = row['median_ms']
            found[name]['speed_up_cpu'] = row['speed_up']
    return found


def optimisations(setting: dict[str, Any], large: dict[str, Any], device: str) -> list[Pair]:
    """Each optimisation with its control."""
    small, big = setting['config'], large['config']
    found = [
        Pair(
            'fixed range: a privacy step encodes two frames, not the clip',
            f'{small}, bdq_hard, 4 privacy steps',
            partial(one_frame, setting, device, WholeClipPreprocessor),
            partial(one_frame, setting, device, BDQDataPreprocessor),
            'always on',
        ),
        Pair(
            'range of the clip: stage and encode the batch once, not at each privacy step',
            f'{small}, 4 privacy steps',
            partial(unstaged, setting, device, FOUR_STEPS),
            partial(ours, setting, device, FOUR_STEPS),
            'always on',
        ),
        Pair(
            'channels-last',
            f'{big}, batch {large["batch"]}, clip {large["clip"][1:]}',
            partial(ours, large, device),
            partial(ours, large, device, channels_last=True),
            'switch: model.channels_last=True',
        ),
        Pair(
            'bfloat16',
            small,
            partial(ours, setting, device),
            lambda: in_bfloat16(ours(setting, device), device),
            'switch: AmpOptimWrapper (GPU)',
        ),
    ]
    if device == 'cuda' or has_cpp_compiler():
        found.append(
            Pair(
                'torch.compile of the backbones',
                small,
                partial(ours, setting, device),
                partial(ours, setting, device, compile=True),
                'switch: model.compile=True',
            )
        )
    return found


def measure_pair(pair: Pair, rounds: int, device: str) -> dict[str, Any]:
    """Milliseconds of control and test, and the gain (on the CPU: of processor time).

    The first iteration with it is timed by itself, in seconds by the clock: it may compile.
    """
    steps = {'control': pair.control(), 'test': pair.test()}
    first_s = seconds_of(steps['test'], device)
    found = measure_in_turns(steps, rounds, device, 'control')
    time_of, gain = ('cpu_ms', 'speed_up_cpu') if device == 'cpu' else ('median_ms', 'speed_up')
    return {
        'optimisation': pair.name,
        'where': pair.where,
        'control_ms': found['control'][time_of],
        'test_ms': found['test'][time_of],
        'gain': found['test'][gain],
        'first_s': round(first_s, 1),
        'decision': pair.decision,
    }


def study(quick: bool = False) -> dict[str, Any]:
    """Measure; ``quick`` shows that it works, on tiny clips.

    Returns:
        The machine, the iterations (milliseconds, samples a second, MiB, and both as ratios to the
        published iteration) and each optimisation with its control.
    """
    device = 'cuda' if torch.cuda.is_available() and not quick else 'cpu'
    setting = QUICK if quick else LARGE if device == 'cuda' else SMALL
    rounds = 1 if quick else 6
    if not quick:
        forget_compiled()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        builders = iterations(setting, device)
        memory = {name: peak_mib(builder(), device) for name, builder in builders.items()}
        steps = {name: builder() for name, builder in builders.items()}
        times = measure_in_turns(steps, rounds, device, 'published')
        pairs = optimisations(setting, LARGE if device == 'cuda' else LARGE_ON_CPU, device)
        return {
            'machine': machine(device),
            'device': device,
            'setting': setting,
            'rounds': rounds,
            'targets': TARGETS[device],
            'iterations': {
                name: {
                    **row,
                    'samples_s': round(1e3 * setting['batch'] / row['median_ms'], 1),
                    'peak_mib': memory[name],
                    'memory_ratio': round(memory[name] / memory['published'], 2),
                }
                for name, row in times.items()
            },
            'optimisations': [
                measure_pair(pair, rounds, device) for pair in (pairs[:2] if quick else pairs)
            ],
        }
    finally:
        torch.set_num_threads(threads)


def table(document: dict[str, Any]) -> str:
    """The iterations and the optimisations in Markdown, and what was measured where."""
    columns = {
        'cpu_ms': 'processor ms',
        'speed_up_cpu': 'speed-up',
        'median_ms': 'ms by the clock',
        'speed_up': 'speed-up by the clock',
        'samples_s': 'samples/s',
        'peak_mib': 'peak MiB',
        'memory_ratio': 'memory ratio',
    }
    if document['device'] != 'cpu':
        columns = dict(list(columns.items())[2:])
    rows = [
        [name, *(row[column] for column in columns)] for name, row in document['iterations'].items()
    ]
    pair_columns = {
        'optimisation': 'optimisation',
        'where': 'networks',
        'control_ms': 'control, ms',
        'test_ms': 'with it, ms',
        'gain': 'gain',
        'first_s': 'first iteration with it, s',
        'decision': 'decision',
    }
    pairs = document['optimisations']
    pair_rows = [[pair[column] for column in pair_columns] for pair in pairs]
    where, setting = document['machine'], document['setting']
    note = (
        f'{where.get("gpu", where["cpu"])}, {where["threads"]} thread(s), torch {where["torch"]}; '
        f'{setting["config"]}, batch {setting["batch"]}, clips {tuple(setting["clip"][1:])}; '
        f'{document["rounds"]} rounds in turns on a shared machine (load '
        f'{where["load_average_at_start"]}); speed-up and gain: medians of ratios within a round.'
    )
    tables = [
        rows_to_table(['iteration', *columns.values()], rows),
        rows_to_table([*pair_columns.values()], pair_rows),
    ]
    return '\n\n'.join([*tables, note])
