"""After a step of any optimiser, an encoder's numbers go back to where they mean something.

Whoever builds the optimiser: a recipe of this package, a stock config, a loop of one's own.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakSet

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


class Projected(Protocol):
    """A module that puts its own numbers back, by ``project_()``."""

    def project_(self) -> None: ...


_modules: WeakSet[nn.Module] = WeakSet()


def project_after_steps(module: Projected) -> None:
    """Call ``module.project_()`` after each step that has moved a parameter of it."""
    _modules.add(module)


def _project(optimizer: Optimizer, *_: Any) -> None:
    groups = optimizer.param_groups
    moved = {id(p) for group in groups for p in group['params'] if p.grad is not None}
    for module in list(_modules):
        begun = '_parameters' in vars(module)  # not where its construction has failed
        if begun and any(id(parameter) in moved for parameter in module.parameters()):
            module.project_()


register_optimizer_step_post_hook(_project)
