"""One optimiser for each phase of the game."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import nn

from .loops import unwrap

DEFAULT_MODULES = dict(action=('data_preprocessor', 'recognizer'), privacy=('privacy',))
ENCODER_KEY = 'data_preprocessor.encoder'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PhaseOptimWrapperConstructor:
    """Build an ``OptimWrapperDict`` with one plain wrapper for each phase.

    Every phase is the config of an ordinary optimiser wrapper, with its own ``paramwise_cfg`` and
    ``modules``, the children of the model that it owns. The encoder has no weight decay unless
    ``paramwise_cfg`` names it.

    Raises:
        ValueError: a parameter that can be trained has no owner or two of them, or a phase names a
            module that the model does not have.

    Example:
        >>> sgd = dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-5)
        >>> optim_wrapper = dict(
        ...     constructor='PhaseOptimWrapperConstructor',
        ...     action=dict(optimizer=sgd),
        ...     privacy=dict(optimizer=sgd))
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        if paramwise_cfg:
            raise ValueError('write paramwise_cfg inside the phase that it is meant for')
        self.cfg = deepcopy(optim_wrapper_cfg)
        # The Runner's own key, where a config says type='OptimWrapperDict'.
        self.cfg.pop('type', None)
        for phase, cfg in self.cfg.items():
            if not isinstance(cfg, dict) or 'optimizer' not in cfg:
                raise ValueError(f"optim_wrapper.{phase} needs optimizer=dict(type='SGD', ...)")

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the wrappers of a model, wrapped for distribution or not."""
        model = unwrap(model)
        modules = {
            phase: tuple(cfg.pop('modules', DEFAULT_MODULES.get(phase, ())))
            for phase, cfg in self.cfg.items()
        }
        check_owners(model, modules)
        return OptimWrapperDict(
            **{phase: build_phase(model, modules[phase], cfg) for phase, cfg in self.cfg.items()}
        )


def check_owners(model: nn.Module, modules: dict[str, tuple[str, ...]]) -> None:
    """See that each trainable parameter is owned by exactly one phase."""
    children = dict(model.named_children())
    for phase, names in modules.items():
        unknown = [name for name in names if name not in children]
        if unknown or not names:
            raise ValueError(
                f"optim_wrapper.{phase}.modules={list(names)}: choose from the model's children "
                f'{list(children)}'
            )
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        owners = [phase for phase, names in modules.items() if name.split('.')[0] in names]
        if len(owners) != 1:
            problem = f'two owners {owners}' if owners else 'no owner'
            raise ValueError(
                f"parameter '{name}' has {problem} among the optimisers {list(modules)}; name "
                f"'{name.split('.')[0]}' in the `modules` of exactly one, or freeze it"
            )


def build_phase(model: nn.Module, names: tuple[str, ...], cfg: dict[str, Any]) -> OptimWrapper:
    """The optimiser wrapper of one phase, built by MMEngine's default constructor."""
    cfg = dict(cfg)
    paramwise = dict(cfg.pop('paramwise_cfg', None) or {})
    if 'data_preprocessor' in names and cfg['optimizer'].get('weight_decay') is not None:
        keys = dict(paramwise.get('custom_keys', {}))
        keys.setdefault(ENCODER_KEY, dict(decay_mult=0.0))
        paramwise['custom_keys'] = keys
    cfg.setdefault('type', 'OptimWrapper')
    owned = nn.ModuleDict({name: getattr(model, name) for name in names})
    return DefaultOptimWrapperConstructor(cfg, paramwise)(owned)


def wrappers_of(wrapper: OptimWrapper) -> list[OptimWrapper]:
    """Every optimiser of a run, of one phase or of several."""
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def groups_of(wrapper: OptimWrapper) -> list[dict[str, Any]]:
    """Every group of parameters that has a learning rate of its own."""
    return [group for each in wrappers_of(wrapper) for group in each.param_groups]
