"""The alternation of the game, as MMEngine's training loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from mmaction.registry import LOOPS
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.debugging_hooks import noop_hook
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from ..models.adversarial_recognizer import PHASES
from .iteration_log import is_read

DEFAULT_PHASES = (dict(name='action', steps=1), dict(name='privacy', steps=1))


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


@LOOPS.register_module()
class AdversarialTrainLoop(EpochBasedTrainLoop):
    """Each iteration: every phase in turn, on the same batch.

    A phase is ``model.set_phase(name)`` and then MMEngine's own ``train_step`` with that phase's
    plain ``OptimWrapper``, so that mixed precision, gradient clipping and the distributed wrapper
    work as in any other run. Log keys are prefixed by the phase.

    Args:
        phases: ``dict(name='action' | 'privacy', steps=n)`` in the order in which they are played.
            More than one privacy step draws another frame each time.

    Example:
        >>> train_cfg = dict(type='AdversarialTrainLoop', max_epochs=50)
    """

    def __init__(
        self, *args: Any, phases: Sequence[dict[str, Any]] = DEFAULT_PHASES, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for phase in phases:
            steps = phase.get('steps', 1)
            if phase.get('name') not in PHASES or not isinstance(steps, int) or steps < 1:
                raise ValueError(
                    f"phase {phase} is not dict(name='action' | 'privacy', steps=1 or more)"
                )
        if {phase['name'] for phase in phases} != set(PHASES):
            raise ValueError(f'the game needs both phases {PHASES}, got {list(phases)}')
        self.phases = [(phase['name'], phase.get('steps', 1)) for phase in phases]

    def run(self) -> nn.Module:
        """Train to the last epoch."""
        reduce_what_learns(self.runner.model)
        return super().run()

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Play all phases on one batch; the encoder is logged where the log is read."""
        runner = self.runner
        runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        outputs = play(runner.model, data_batch, self.phases, runner.optim_wrapper)
        if is_read(runner, idx):
            outputs.update(encoder_logs(unwrap(runner.model)))
        runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1


def play(
    model: nn.Module,
    data_batch: dict[str, Any],
    phases: Sequence[tuple[str, int]],
    optim_wrapper: OptimWrapperDict,
) -> dict[str, torch.Tensor]:
    """One iteration of the game: every phase on the same batch, which is staged once.

    Args:
        model: an ``AdversarialRecognizer``, wrapped for distribution or not.
        data_batch: what the data loader gives.
        phases: name and number of steps of each phase.
        optim_wrapper: one plain wrapper a phase.

    Returns:
        The logs of each phase's last step, prefixed by its name.
    """
    game = unwrap(model)
    batch = game.data_preprocessor.stage(data_batch)
    outputs: dict[str, torch.Tensor] = {}
    for name, steps in phases:
        game.set_phase(name)
        # The encoder may have moved since the last phase.
        batch = replace(batch, encoded=None)
        for _ in range(steps):
            logs = model.train_step(batch, optim_wrapper[name])
        outputs.update({f'{name}/{key}': value for key, value in logs.items()})
    return outputs


def reduce_what_learns(model: nn.Module) -> None:
    """Let the processes exchange the gradients of the phase's own players, not zeros for the rest.

    Of a model that is not distributed nothing is changed.
    """

    # Without annotations: torch reads them, and cannot where they are strings.
    def hook(state, bucket):
        learns = any(parameter.requires_grad for parameter in bucket.parameters())
        return (allreduce_hook if learns else noop_hook)(state, bucket)

    if isinstance(model, DistributedDataParallel):
        model.register_comm_hook(model.process_group, hook)


def encoder_logs(model: nn.Module) -> dict[str, torch.Tensor]:
    """What training logs of the encoder: sigma, the range and every threshold, on their device."""
    logs: dict[str, torch.Tensor] = {}
    for name, value in model.data_preprocessor.encoder.state_tensors().items():
        if value.ndim:
            stem = name.rstrip('s')
            logs.update({f'encoder/{stem}_{i:02d}': v for i, v in enumerate(value, start=1)})
        else:
            logs[f'encoder/{name}'] = value
    return logs
