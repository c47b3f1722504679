"""Run studies, write their results and print their tables.

    OMP_NUM_THREADS=2 python -m benchmarks.run [STUDY ...] [--quick]

Without a STUDY all run. ``--quick`` only shows that they run: sizes are tiny, and results go to
``results/quick``, which no document quotes.
"""

from __future__ import annotations

import argparse
import importlib

from . import harness

# Modules of this package with ``study(quick) -> dict`` and ``table(document) -> str``.
STUDIES = (
    'encoder',
    'kernels',
    'game',
    'data',
    'scale',
    'end_to_end',
    'streaming',
    'writing',
    'packing',
    'rates',
    'starting',
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('studies', nargs='*', metavar='STUDY', help=', '.join(STUDIES))
    parser.add_argument('--quick', action='store_true', help='tiny sizes, to see that it runs')
    args = parser.parse_args(arguments)
    unknown = sorted(set(args.studies) - set(STUDIES))
    if unknown:
        parser.error(f'unknown study {", ".join(unknown)}: choose from {", ".join(STUDIES)}')
    folder = harness.RESULTS / 'quick' if args.quick else harness.RESULTS
    for name in args.studies or STUDIES:
        module = importlib.import_module(f'benchmarks.{name}')
        document = module.study(args.quick)
        document = {'command': f'python -m benchmarks.run {name}', **document}
        path = harness.write_result(name, document, folder)
        print(f'{module.table(document)}\n\n{path}\n', flush=True)


if __name__ == '__main__':
    main()
