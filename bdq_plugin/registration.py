"""Register with MMAction2 as soon as it is wanted, and not before.

Importing MMEngine, MMAction2 and all that stands on them takes seconds, and a machine that only
encodes may have none of it. So the parts of this package that register classes are imported

- at once, where MMEngine is imported already: so ``custom_imports`` of a config finds it;
- else right before the first import of the stack, or of a part that stands on it, by whomever. The
  stack is then in the same state as if this package had been imported after it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

STACK = ('mmengine', 'mmcv', 'mmaction')
# What registers, in an order in which the parts can import each other.
PARTS = ('compat', 'datasets', 'engine', 'evaluation', 'models')
# What stands on the stack, besides.
_OTHERS = ('visualization',)
_PACKAGE = __package__


def stack_is_installed() -> bool:
    """Whether all of MMEngine, MMCV and MMAction2 can be found; imports none of them."""
    return all(importlib.util.find_spec(name) is not None for name in STACK)


def register_in_time() -> None:
    """Register now, or when the stack, which must be installed, is wanted."""
    if 'mmengine' in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _Trigger())


def register() -> dict[str, ModuleType]:
    """Mend the stack and import all that registers.

    Returns:
        The modules of :data:`PARTS` by their names.

    Raises:
        ImportError: the stack is not complete.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Trigger)]
    compat = importlib.import_module(f'{_PACKAGE}.compat')
    compat.apply()
    return {name: importlib.import_module(f'{_PACKAGE}.{name}') for name in PARTS}


class _Trigger(MetaPathFinder):
    """The first of the finders: sees an import before anything of it has happened."""

    names = frozenset([*STACK, *(f'{_PACKAGE}.{name}' for name in (*PARTS, *_OTHERS))])

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.names:
            return None
        register()
        module = sys.modules.get(name)
        # None lets the other finders look, for what registering has not imported.
        return None if module is None else _Imported.spec_of(name, module)


class _Imported(Loader):
    """Hands out a module that has been imported, as it is, instead of executing it once more."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    @classmethod
    def spec_of(cls, name: str, module: ModuleType) -> ModuleSpec:
        spec = ModuleSpec(name, cls(module))
        # The import system takes the spec that it finds in the module, wherever there is one.
        module.__spec__ = spec
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec
