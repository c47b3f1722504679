"""Run a tool wherever the package is installed: ``python -m bdq_plugin train bdq_kth.py``."""

import runpy
import sys

from .paths import CONFIGS, TOOLS


def main() -> None:
    names = sorted(str(path.relative_to(TOOLS).with_suffix('')) for path in TOOLS.rglob('*.py'))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(
            f'usage: python -m bdq_plugin TOOL ...\n\nTOOL is one of\n  {"  ".join(names)}\n\n'
            f'Recipes are in\n  {CONFIGS}'
        )
    tool = str(TOOLS / f'{sys.argv[1]}.py')
    sys.argv = [tool, *sys.argv[2:]]
    # What Python does for a script: modules beside it can be imported.
    sys.path[0] = str(TOOLS)
    runpy.run_path(tool, run_name='__main__')


if __name__ == '__main__':
    main()
