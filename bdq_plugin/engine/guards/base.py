"""What every guard has: a policy, a memory in the checkpoint, one verdict of all processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..loops import unwrap
from .rollback import is_finite, roll_back


class TrainingFault(RuntimeError):
    """Training has gone wrong; the message says how, where, and what to try."""


class Guard(Hook):
    """Base of the guards.

    Args:
        policy: what to do about the fault, one of the class's ``POLICIES`` or ``'off'``.
        max_times: how often ``skip`` or ``rollback`` may come to the rescue before the run stops.
    """

    FAULT: ClassVar[str]
    ADVICE: ClassVar[str]
    POLICIES: ClassVar[tuple[str, ...]]

    def __init__(self, policy: str, max_times: int = 3) -> None:
        allowed = (*self.POLICIES, 'off')
        if policy not in allowed:
            raise ValueError(
                f'{type(self).__name__}: policy is one of {", ".join(allowed)}, got {policy!r}'
            )
        if max_times < 1:
            raise ValueError(f'{type(self).__name__}: max_times must be 1 or more, got {max_times}')
        self.policy, self.max_times = policy, max_times

    def react(self, runner: Runner, details: str, iteration: int | None = None) -> None:
        """Do what the policy says about the fault, which was in this iteration or the last one."""
        iteration = runner.iter if iteration is None else iteration
        message = f'{self.FAULT} at epoch {runner.epoch + 1}, iteration {iteration + 1}: {details}.'
        if self.policy == 'stop':
            raise TrainingFault(f'{message} {self.ADVICE}')
        if self.policy == 'warn':
            runner.logger.warning(f'{message} {self.ADVICE}')
            return
        times = self.recall(runner, 'times', 0) + 1
        if times > self.max_times:
            raise TrainingFault(
                f'{message} {self.policy} has been tried {self.max_times} times. {self.ADVICE}'
            )
        self.remember(runner, 'times', times)
        if self.policy == 'rollback':
            path = roll_back(runner)
            if path is None:
                raise TrainingFault(f'{message} No good checkpoint to go back to. {self.ADVICE}')
            message += f' Went back to {path}'
        elif not is_finite(unwrap(runner.model).state_dict().values()):
            # The forward pass alone moves BatchNorm's statistics.
            raise TrainingFault(f'{message} The weights hold it too: {self.ADVICE}')
        else:
            message += ' Left this step out'
        runner.logger.warning(f'{message} ({times} of at most {self.max_times} times)')

    # What a guard remembers is in the checkpoint: a resumed run decides as a whole one would.
    def remember(self, runner: Runner, name: str, value: float) -> None:
        runner.message_hub.update_info(f'{type(self).__name__}/{name}', value)

    def recall(self, runner: Runner, name: str, default: float) -> float:
        return runner.message_hub.get_info(f'{type(self).__name__}/{name}', default)


def anywhere(flags: Iterable[bool]) -> list[bool]:
    """Which flags are set in any process, so that all of them do the same; as many in each."""
    flags = list(flags)
    if get_world_size() == 1 or not flags:
        return flags
    found = torch.tensor(flags, dtype=torch.int32)
    all_reduce(found, 'max')
    return list(map(bool, found.tolist()))
