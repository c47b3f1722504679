#!/usr/bin/env python3
"""Draw training and validation accuracy of a run by epoch."""

from bdq_plugin.visualization import accuracy_curves
from bdq_plugin.visualization.scripts import draw_run


def main(argv: list[str] | None = None) -> None:
    draw_run(accuracy_curves, __doc__, argv)


if __name__ == '__main__':
    main()
