"""Back to the run's last checkpoint that is finite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.runner import Runner
from torch import Tensor

from ..checkpoints import checkpoints_of, step_of
from ..loops import unwrap
from ..optim import groups_of


def roll_back(runner: Runner) -> Path | None:
    """Put networks and optimisers back to the run's last checkpoint that is finite.

    Counters, schedules and random numbers go on: the same batches in the same order would only lead
    to the same fault.

    Returns:
        The checkpoint, or None where there is none.
    """
    # What the run itself has written: the folder may hold an older run's, too.
    last = step_of(runner.message_hub.get_info('last_ckpt') or '')
    for path in checkpoints_of(runner.work_dir) if last is not None else ():
        if step_of(path) > last:
            continue
        # Of this run's own work directory, so its pickle may be read.
        checkpoint = torch.load(path, map_location='cpu', weights_only=False)
        if not is_finite(checkpoint['state_dict'].values()):
            continue
        unwrap(runner.model).load_state_dict(checkpoint['state_dict'])
        if 'optimizer' in checkpoint:
            # MMEngine's schedules go on from the rate that they find.
            rates = [group['lr'] for group in groups_of(runner.optim_wrapper)]
            runner.optim_wrapper.load_state_dict(checkpoint['optimizer'])
            for group, rate in zip(groups_of(runner.optim_wrapper), rates, strict=True):
                group['lr'] = rate
        return path
    return None


def is_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds NaN or Inf."""
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())
