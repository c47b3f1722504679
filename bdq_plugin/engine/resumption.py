"""A resumed run follows the schedule of its config, not the one that its checkpoint holds."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook, ParamSchedulerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from .optim import groups_of
from .schedule import each_schedule

# What moves in a schedule's state while it is followed; the rest says which schedule it is.
_MOVING = ('last_step', '_global_step', '_last_value')


@HOOKS.register_module()
class ResumeScheduleHook(Hook):
    """Let a resumed run follow the learning-rate schedule that its config says now.

    MMEngine restores a schedule as the checkpoint has it. With another length, batch size, number
    of processes or rate, the run would go along the old one: a longer training at its smallest
    rate. Here it goes on as if it had been so from its first epoch, and says at which rate. A run
    that is resumed unchanged stays bit for bit the same.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._groups: list[dict[str, Any]] = []
        self._schedules: list[dict[str, Any]] = []
        self._checkpoint: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Keep what the config says, before a checkpoint takes its place."""
        if isinstance(runner.optim_wrapper, OptimWrapper):
            groups = groups_of(runner.optim_wrapper)
            self._groups = [{k: v for k, v in g.items() if k != 'params'} for g in groups]
            schedules = each_schedule(runner.param_schedulers)
            self._schedules = [deepcopy(schedule.state_dict()) for schedule in schedules]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep what the checkpoint says of its run."""
        info = checkpoint.get('message_hub', {}).get('runtime_info', {})
        names = ('max_epochs', 'max_iters')
        self._checkpoint = {name: info.get(name) for name in names}
        self._checkpoint['schedules'] = list(each_schedule(checkpoint.get('param_schedulers')))

    def before_train(self, runner: Runner) -> None:
        """Compare both, where a run was resumed, and follow the config.

        Raises:
            ValueError: training would end before the checkpoint.
        """
        if runner.iter == 0:
            return
        if runner.epoch > runner.max_epochs:
            raise ValueError(
                f'the checkpoint is of epoch {runner.epoch}, this training ends at epoch '
                f'{runner.max_epochs}; resume with more epochs, or from an earlier checkpoint'
            )
        changes = self._changes(runner)
        if not changes:
            return
        before = _rates(runner)
        self._count_anew(runner)
        self._follow_anew(runner)
        after = _rates(runner)
        runner.logger.warning(
            f'resumed at epoch {runner.epoch + 1} with {", ".join(changes)}: the learning rate '
            f"goes on at {after}, where this config's schedule is by now; the checkpoint's was "
            f'{before}'
        )

    def _changes(self, runner: Runner) -> list[str]:
        old, changes = self._checkpoint, []
        if old['max_epochs'] not in (None, runner.max_epochs):
            changes.append(f'{runner.max_epochs} epochs (were {old["max_epochs"]})')
        if self._old_length(runner) != len(runner.train_dataloader):
            changes.append(
                f'{len(runner.train_dataloader)} iterations an epoch (were '
                f'{self._old_length(runner):g})'
            )
        same = list(map(_kind, self._schedules)) == list(map(_kind, old['schedules']))
        return changes or ([] if same else ['another schedule'])

    def _old_length(self, runner: Runner) -> float:
        """Iterations an epoch of the run that wrote the checkpoint."""
        epochs, iterations = self._checkpoint['max_epochs'], self._checkpoint['max_iters']
        if not isinstance(runner.train_loop, EpochBasedTrainLoop) or not epochs or not iterations:
            return len(runner.train_dataloader)
        return iterations / epochs

    def _count_anew(self, runner: Runner) -> None:
        """Count the iterations up to here as epochs of today's length."""
        ratio = len(runner.train_dataloader) / self._old_length(runner)
        if ratio != 1:
            runner.train_loop._iter = round(runner.iter * ratio)
            runner.optim_wrapper.initialize_count_status(
                runner.model, runner.iter, runner.max_iters
            )

    def _follow_anew(self, runner: Runner) -> None:
        """Walk along the schedules from their beginning to where the run is."""
        schedules = list(each_schedule(runner.param_schedulers))
        for group, fresh in zip(groups_of(runner.optim_wrapper), self._groups, strict=True):
            for name in {schedule.param_name for schedule in schedules}:
                for key in {name, f'initial_{name}'} & fresh.keys():
                    group[key] = fresh[key]
        for schedule, fresh in zip(schedules, self._schedules, strict=True):
            schedule.load_state_dict(deepcopy(fresh))
        walk, length = ParamSchedulerHook(), len(runner.train_dataloader)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that no optimiser has taken a step
            for iteration in range(1, runner.iter + 1):
                walk.after_train_iter(runner, 0)
                if iteration % length == 0 and iteration <= runner.epoch * length:
                    walk.after_train_epoch(runner)


def _kind(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in _MOVING}


def _rates(runner: Runner) -> str:
    rates = runner.optim_wrapper.get_lr()
    return ', '.join(f'{name} {each[0]:.3g}' for name, each in rates.items())
