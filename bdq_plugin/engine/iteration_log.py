"""What hooks want to know of each iteration, kept on its device and read in one transfer.

To look at a value, the host waits for the device. So losses, and what the guards note, stay where
they are until all of them are read at once: where the log is printed, at the end of an epoch, and
before a checkpoint is written.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import CheckpointHook, LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor


class Row(NamedTuple):
    """One iteration: its number from 0, what the loop has put out, and what guards have noted."""

    iteration: int
    outputs: dict[str, float]
    notes: dict[str, float]


class IterationLog:
    """The iterations of a run that nobody has read yet; :meth:`of` gives a run's own."""

    _of_runs: ClassVar[WeakKeyDictionary[Runner, IterationLog]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._pending: list[tuple[int, _Values, _Values]] = []
        self._notes: dict[str, Tensor] = {}
        self._iteration = -1
        self._rows: list[Row] = []

    @classmethod
    def of(cls, runner: Runner) -> IterationLog:
        """The log that all hooks of a run share."""
        return cls._of_runs.setdefault(runner, cls())

    def note(self, name: str, value: Tensor) -> None:
        """Keep a scalar of the iteration at hand; those of one name add up."""
        value = value.detach()
        self._notes[name] = self._notes[name] + value if name in self._notes else value

    def rows(self, runner: Runner, batch_idx: int, outputs: dict[str, Any] | None) -> list[Row]:
        """To be called in ``after_train_iter`` by whoever wants to know.

        Returns:
            The iterations since the last reading where this one is read, the same to all who ask;
            else nothing.
        """
        if self._iteration != runner.iter:
            self._iteration = runner.iter
            self._pending.append((runner.iter, _Values(outputs or {}), _Values(self._notes)))
            self._notes = {}
            self._rows = self._read() if is_read(runner, batch_idx) else []
        return self._rows

    def _read(self) -> list[Row]:
        pending, self._pending = self._pending, []
        parts = [values for _, *both in pending for values in both]
        read: dict[torch.device, list[float]] = {}
        for device in {device for part in parts for device in part.stacked}:
            flat = torch.cat([part.stacked[device] for part in parts if device in part.stacked])
            read[device] = flat.tolist()[::-1]
        return [Row(i, outputs.read(read), notes.read(read)) for i, outputs, notes in pending]


class _Values:
    """Named scalars: numbers as they are, tensors stacked on each device."""

    def __init__(self, values: dict[str, Any]) -> None:
        tensors = defaultdict(list)
        self.names: dict[str, torch.device | float] = {}
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[value.device].append(value.detach().reshape(()).double())
            self.names[name] = value.device if isinstance(value, Tensor) else float(value)
        self.stacked = {device: torch.stack(each) for device, each in tensors.items()}

    def read(self, read: dict[torch.device, list[float]]) -> dict[str, float]:
        """The numbers, the tensors' taken from the ends of what was read from their devices."""
        return {
            name: read[found].pop() if isinstance(found, torch.device) else found
            for name, found in self.names.items()
        }


def is_read(runner: Runner, batch_idx: int) -> bool:
    """Whether this iteration's log is printed, or an epoch ends or a checkpoint is written now."""
    if batch_idx + 1 == len(runner.train_dataloader) or runner.iter + 1 == runner.max_iters:
        return True
    logs = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
    saves = [
        hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and not hook.by_epoch
    ]
    return any(log.every_n_inner_iters(batch_idx, log.interval) for log in logs) or any(
        save.every_n_train_iters(runner, save.interval, save.save_begin) for save in saves
    )


@HOOKS.register_module()
class DeferredInfoHook(RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``; what the loop puts out reaches the log when it is read."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Hand over the iterations since the last reading, in their order."""
        for row in IterationLog.of(runner).rows(runner, batch_idx, outputs):
            for name, value in row.outputs.items():
                runner.message_hub.update_scalar(f'train/{name}', value)
