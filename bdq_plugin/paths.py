"""Where recipes and tools lie: beside the package in a checkout, inside it after a wheel."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / '.mim'

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
CONFIGS = ROOT / 'configs'
TOOLS = ROOT / 'tools'


def find_config(path: str | os.PathLike) -> str:
    """A config's file: the path itself, else the recipe of that name.

    Args:
        path: such as ``'my/recipe.py'``, ``'configs/bdq_kth.py'`` or ``'bdq_kth.py'``.

    Raises:
        FileNotFoundError: neither is there.
    """
    for candidate in (Path(path), ROOT / path, CONFIGS / path):
        if candidate.is_file():
            return str(candidate)
    raise FileNotFoundError(f'no config {path}; the recipes are in {CONFIGS}')


def find_recipe(name: str) -> Path:
    """The recipe of this package of that name, and of no other folder.

    Raises:
        FileNotFoundError: there is none.
    """
    recipe = CONFIGS / name
    if not recipe.is_file():
        raise FileNotFoundError(f'no recipe {name} in this package; its recipes are in {CONFIGS}')
    return recipe
