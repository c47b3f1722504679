#!/usr/bin/env python
"""Print versions, machine and settings: what a report of a fault should hold.

Works without torch and MMAction2 too, and says what is missing.

Example:
    python -m bdq_plugin env
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bdq_plugin.environment import describe_environment


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    print(describe_environment())


if __name__ == '__main__':
    main()
