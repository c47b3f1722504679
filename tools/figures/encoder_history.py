#!/usr/bin/env python3
"""Draw thresholds, sigma and range of a run over its training."""

from bdq_plugin.visualization import encoder_history
from bdq_plugin.visualization.scripts import draw_run


def main(argv: list[str] | None = None) -> None:
    draw_run(encoder_history, __doc__, argv)


if __name__ == '__main__':
    main()
