"""Learning-rate schedules that end with the training, whatever length that is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What a schedule measures in epochs beside its own beginning and end.
_LENGTHS, _LISTS_OF_LENGTHS = ('T_max', 'step_size', 'total_steps'), ('milestones', 'periods')


def stretch_schedules(schedules: Any, old: int, new: int) -> None:
    """Let each schedule that lasts to the end of training last to the new end.

    What ends before (a warm-up) stays as it is; milestones keep their share of the whole. Schedules
    that count iterations are left alone.

    Args:
        schedules: ``param_scheduler`` of a config: one, a list, or those of several optimisers by
            name; changed in place.
        old, new: lengths of training in epochs.

    Raises:
        ValueError: a schedule would begin after the new end.
    """
    for schedule in each_schedule(schedules):
        begin, end = schedule.get('begin', 0), schedule.get('end')
        if not schedule.get('by_epoch', True) or (end is not None and end < old):
            continue
        if begin >= new:
            raise ValueError(
                f'max_epochs={new} leaves nothing of {schedule["type"]}, which begins at epoch '
                f'{begin}; write train_cfg.max_epochs and a param_scheduler that fits'
            )
        _stretch(schedule, old - begin, new - begin, new / old)
        if end is not None:
            schedule['end'] = new


def each_schedule(schedules: Any) -> Iterator[Any]:
    """Schedules or their configs or states: of one optimiser, or of several by name."""
    if isinstance(schedules, dict) and 'type' not in schedules:
        for of_one_optimiser in schedules.values():
            yield from each_schedule(of_one_optimiser)
    elif isinstance(schedules, dict):
        yield schedules
    else:
        yield from schedules or ()


def _stretch(schedule: dict[str, Any], old_span: float, new_span: float, ratio: float) -> None:
    for key in _LENGTHS:
        if schedule.get(key) == old_span:
            schedule[key] = new_span
        elif schedule.get(key):
            schedule[key] = _scaled(schedule[key], ratio)
    for key in _LISTS_OF_LENGTHS:
        if schedule.get(key):
            schedule[key] = [_scaled(length, ratio) for length in schedule[key]]


def _scaled(length: float, ratio: float) -> int:
    return max(1, round(length * ratio))
